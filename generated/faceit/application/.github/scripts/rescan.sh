#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Scans the image of the newest release again, and reports its vulnerabilities in one issue: opens, updates and closes it.
#
#   sh .github/scripts/rescan.sh
#
# Requires `gh`, `jq` and `skopeo`, the environment variables of a GitHub Actions run, GH_REPO, and GH_TOKEN with read access to
# releases and packages and write access to issues.
set -eu

[ $# -eq 0 ] || { printf 'usage: %s\n' "$0" >&2; exit 2; }
scripts=$(dirname "$0")
issues=repos/$GH_REPO/issues
run=$GITHUB_SERVER_URL/$GH_REPO/actions/runs/$GITHUB_RUN_ID
marker='<!-- vulnerabilities of the released image -->'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! gh api "repos/$GH_REPO/releases/latest" --jq .tag_name >"$work/tag" 2>"$work/words"; then
    cat "$work/words" >&2
    grep -q 'HTTP 404' "$work/words" || exit 1
    printf 'There is no release.\n'
    exit
fi
tag=$(cat "$work/tag")
if [ "$(sh "$scripts/earlier.sh" "$work/image" "${tag#v}")" != found ]; then
    printf '::error::The image of %s is not in the registry. Run its release again.\n' "$tag" >&2
    exit 1
fi

status=0
sh "$scripts/scan.sh" "$work/image" "$work/sboms" >"$work/findings" 2>&1 || status=$?
cat "$work/findings"
# 3 is a finding. Anything else is a scan that failed, which says nothing about the image.
case $status in
    0 | 3) ;;
    *) exit "$status" ;;
esac

# Updates only an issue of this workflow: anyone can write the marker.
gh api --paginate "$issues?state=open&creator=github-actions%5Bbot%5D&per_page=100" >"$work/issues.json"
number=$(jq --raw-output --arg marker "$marker" \
    '.[] | select(.user.login == "github-actions[bot]" and .pull_request == null) | select((.body // "") | startswith($marker)) | .number' \
    "$work/issues.json" | head -n 1)

if [ "$status" -eq 0 ]; then
    if [ -n "$number" ]; then
        jq --null-input --arg body "The scan of \`$tag\` finds nothing: [run]($run)." '{body: $body}' >"$work/comment.json"
        gh api --silent --method POST "$issues/$number/comments" --input "$work/comment.json"
        jq --null-input '{state: "closed", state_reason: "completed"}' >"$work/state.json"
        gh api --silent --method PATCH "$issues/$number" --input "$work/state.json"
    fi
    exit
fi

{
    printf '%s\n\n' "$marker"
    printf "The image of \`%s\`, the newest release, has findings: [run](%s).\n\n" "$tag" "$run"
    printf -- "- In the base image or the language: merge the pull request of Renovate for it, whose title begins with \`fix(deps):\`.\n"
    printf -- "- In a dependency: update it, with a commit of the type \`fix\`.\n"
    printf -- "- If a finding does not apply to this program: add its id to \`.trivyignore\`, with the reason.\n\n"
    printf 'The issue is updated every week, and closed when the newest release has no findings.\n\n'
    # The limit of GitHub is 65536 characters. Indented, the findings cannot format the issue or mention users.
    sed 's/^/    /' "$work/findings" | head -c 60000
} >"$work/body.md"
if [ -n "$number" ]; then
    jq --null-input --rawfile body "$work/body.md" '{body: $body}' >"$work/issue.json"
    gh api --silent --method PATCH "$issues/$number" --input "$work/issue.json"
else
    jq --null-input --arg title 'Vulnerabilities in the released image' --rawfile body "$work/body.md" \
        '{title: $title, body: $body}' >"$work/issue.json"
    gh api --silent --method POST "$issues" --input "$work/issue.json"
fi
