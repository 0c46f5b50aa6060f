#!/bin/sh
# Renders one repository, which is checked out with its history beside this one, and opens or updates the pull request with what
# changed. If nothing differs from main, an open pull request is closed. Prints one line for the summary.
#
#   sh .github/scripts/propose.sh BLUEPRINT REPOSITORY
#
# Requires `blueprint`, `git`, `gh`, `jq`; APP: the name of the GitHub App; and GH_TOKEN: its token with write access to contents, pull
# requests and workflows of the repository.
set -eu

[ $# -eq 2 ] || { printf 'usage: %s BLUEPRINT REPOSITORY\n' "$0" >&2; exit 2; }
blueprint=$1
name=$2

self=#{ foundation.github.slug(review.repository) }#
repository=#{ foundation.github.owner }#/$name
branch=blueprint/render
folder=../$name

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

in_repository() {
    git -C "$folder" -c "user.name=$author" -c "user.email=$address" \
        -c credential.helper= -c 'credential.helper=!gh auth git-credential' "$@"
}

author="${APP}[bot]"
address="$(gh api "users/$APP%5Bbot%5D" --jq .id)+$author@users.noreply.github.com"
commit=$(git rev-parse HEAD)
main=$(in_repository rev-parse HEAD)
# A fork may have a branch of the same name.
url=$(gh pr list --repo "$repository" --head "$branch" --base main --state open \
    --json url,isCrossRepository --jq 'map(select(.isCrossRepository | not))[0].url // empty')

# The comparison comes first, because nothing differs after the render. Both report conflicts.
status=0
blueprint diff "$blueprint" --out .. --only "$name" --format github >"$work/difference.md" || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 3 ] || exit "$status"
blueprint render "$blueprint" --out .. --only "$name" >"$work/changes"

# A rendered file belongs in the commit even if somebody's `.gitignore` excludes its folder.
in_repository add --all --force
if in_repository diff --cached --quiet; then
    if [ -n "$url" ]; then
        gh pr close "$url" --comment "main is what \`$blueprint\` renders." >&2
    fi
    printf '%s: nothing to do\n' "$repository"
    exit 0
fi
title="chore: render the blueprint of $(printf '%.7s' "$commit")"
in_repository commit --quiet --message "$title"
rendered=$(in_repository rev-parse HEAD)

# Commits that somebody else pushed to the branch are never discarded.
before=$(in_repository ls-remote origin "refs/heads/$branch" | cut -f 1)
same=
if [ -n "$before" ]; then
    in_repository fetch --quiet origin "$before"
    others=$(in_repository log --format=%ae "$main..$before" | grep --count --invert-match --line-regexp --fixed-strings "$address" || true)
    if [ "$others" -ne 0 ]; then
        printf '%s: somebody else pushed %s commits to %s: merge or delete this branch, and run the job again\n' \
            "$repository" "$others" "$branch" >&2
        exit 1
    fi
    # A push would run the checks again, and dismiss approvals.
    if in_repository diff --quiet "$before" "$rendered" && in_repository merge-base --is-ancestor "$main" "$before"; then
        same=yes
    fi
fi
if [ -z "$same" ]; then
    in_repository push --quiet --force-with-lease="refs/heads/$branch:$before" origin "$rendered:refs/heads/$branch"
fi

{
    printf "Renders [\`%s\`](https://github.com/%s/blob/%s/%s) of [\`%.7s\`](https://github.com/%s/commit/%s).\n\n" \
        "$blueprint" "$self" "$commit" "$blueprint" "$commit" "$self" "$commit"
    cat "$work/difference.md"
} >"$work/body.md"
if [ -n "$url" ]; then
    # Not `gh pr edit`: it also reads the projects of a pull request, for which the App has no permission (https://github.com/cli/cli/pull/13281).
    jq --null-input --arg title "$title" --rawfile body "$work/body.md" '{title: $title, body: $body}' >"$work/pull.json"
    gh api --silent --method PATCH "repos/$repository/pulls/$(basename "$url")" --input "$work/pull.json"
else
    url=$(gh pr create --repo "$repository" --head "$branch" --base main --title "$title" --body-file "$work/body.md")
fi
printf '%s: %s\n' "$repository" "$url"
