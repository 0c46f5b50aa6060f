#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Posts a file as a comment of the pull request, or updates the comment that this script posted before.
#
#   sh .github/scripts/comment.sh FILE
#
# Requires `gh`, `jq`, GH_TOKEN, GITHUB_REPOSITORY and PULL_REQUEST.
set -eu

[ $# -eq 1 ] || { printf 'usage: %s FILE\n' "$0" >&2; exit 2; }
file=$1
marker='<!-- blueprint -->'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

jq --null-input --arg marker "$marker" --rawfile text "$file" '{body: ($marker + "\n" + $text)}' >"$work/body.json"
# Updates only a comment of this workflow: anyone can write the marker.
gh api --paginate "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments?per_page=100" >"$work/comments.json"
id=$(jq --raw-output --slurp --arg marker "$marker" \
    'first(.[][] | select(.user.login == "github-actions[bot]" and (.body | startswith($marker))) | .id) // empty' "$work/comments.json")
if [ -n "$id" ]; then
    gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --input "$work/body.json"
else
    gh api --silent --method POST "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" --input "$work/body.json"
fi
