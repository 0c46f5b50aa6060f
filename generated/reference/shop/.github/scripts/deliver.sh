#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Opens the pull request that deploys a version to an environment: verifies the image, sets `newTag` and the digest in the overlay,
# and lists the changes. An open pull request is updated. A newer version is never replaced by an older one.
#
#   sh .github/scripts/deliver.sh ENVIRONMENT VERSION [--auto-merge]
#
# Requires `cosign` and `skopeo`, logged in to the registry if the image is private, `gh`, `git` with the history and the tags of
# this repository, and GH_TOKEN: a token of a GitHub App with write access to contents and pull requests of the manifests.
set -eu

usage() {
    printf 'usage: %s ENVIRONMENT VERSION [--auto-merge]\n' "$0" >&2
    exit 2
}

case $# in
    2) merge= ;;
    3) merge=$3 ;;
    *) usage ;;
esac
case $merge in
    '' | --auto-merge) ;;
    *) usage ;;
esac
environment=$1
version=$2

application="shop"
image=ghcr.io/acme/shop
source=acme/shop
manifests=acme/kubernetes-manifest
path=apps/$application/overlays/$environment/kustomization.yaml
branch=deliver/$application-$environment

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

main=$(gh api "repos/$manifests/git/ref/heads/main" --jq .object.sha)
gh api "repos/$manifests/contents/$path?ref=$main" >"$work/file.json"
jq --raw-output .content "$work/file.json" | base64 -d >"$work/before.yaml"

# The first `newTag` after the name of the image.
current=$(awk -v image="$image" '
    $1 == "-" && $2 == "name:" { ours = $3 == image }
    ours && $1 == "newTag:" { gsub(/"/, "", $2); print $2; exit }' "$work/before.yaml")
if [ -z "$current" ]; then
    printf '%s: %s of %s sets no newTag for %s\n' "$0" "$path" "$manifests" "$image" >&2
    exit 1
fi
later=$(printf '%s\n%s\n' "$current" "$version" | sort -t . -k 1,1n -k 2,2n -k 3,3n | tail -n 1)
if [ "$later" = "$current" ]; then
    printf '%s already has %s; nothing to deliver\n' "$environment" "$current"
    exit 0
fi

# Only images that the release workflow of this repository signed are delivered. The digest is read once, so that the cluster runs the
# image that was verified, even if the tag moves later.
if ! digest=$(skopeo inspect --no-tags --retry-times 3 --format '{{.Digest}}' "docker://$image:$version"); then
    printf '%s: cannot read the digest of %s:%s from the registry\n' "$0" "$image" "$version" >&2
    exit 1
fi
sh "$(dirname "$0")/verify.sh" "$digest"

# The digest stands below the tag. An older one must not stay, because the digest decides which image runs.
awk -v image="$image" -v version="$version" -v digest="$digest" '
    $1 == "-" && $2 == "name:" { ours = $3 == image }
    ours && $1 == "digest:" { next }
    ours && $1 == "newTag:" && !done {
        sub(/newTag: *("[^"]*"|[^ #]+)/, "newTag: \"" version "\"")
        print
        sub(/newTag:.*/, "digest: " digest)
        done = 1
    }
    { print }' "$work/before.yaml" >"$work/after.yaml"

# Commit subjects are formatted as code, so that they cannot mention users or link issues of the other repository.
title="Deliver $application $version to $environment"
{
    printf "Sets the tag of \`%s\` in \`%s\`: \`%s\` becomes \`%s\`, and the digest of the verified image:\n\`%s\`.\n\n" \
        "$image" "$path" "$current" "$version" "$digest"
    printf '[Release](https://github.com/%s/releases/tag/v%s)' "$source" "$version"
    if git rev-parse --quiet --verify "refs/tags/v$current" >/dev/null; then
        printf ', [all changes](https://github.com/%s/compare/v%s...v%s)\n\n' "$source" "$current" "$version"
        git log --no-merges --format='%h %s' "v$current..v$version" | tr '`' "'" |
            sed -E "s,^([0-9a-f]+) (.*)$,- [\`\\1\`](https://github.com/$source/commit/\\1) \`\\2\`," |
            LC_ALL=C awk '
                # The limit of GitHub is 65536 characters. The list is limited to 100 subjects.
                NR <= 100 && (used += length($0) + 1) <= 60000 { print; next }
                { left++ }
                END { if (left) printf "- and %d more\n", left }'
    else
        printf '\n'
    fi
    printf '\nTo roll back, revert this pull request.\n'
} >"$work/body.md"

# Creates a commit on top of main with only this change, then points the branch to it. The branch never equals main, because GitHub
# would close its pull request.
tree=$(gh api "repos/$manifests/git/commits/$main" --jq .tree.sha)
jq --null-input --arg tree "$tree" --arg path "$path" --rawfile content "$work/after.yaml" \
    '{base_tree: $tree, tree: [{path: $path, mode: "100644", type: "blob", content: $content}]}' >"$work/tree.json"
tree=$(gh api --method POST "repos/$manifests/git/trees" --input "$work/tree.json" --jq .sha)
jq --null-input --arg message "$title" --arg tree "$tree" --arg main "$main" \
    '{message: $message, tree: $tree, parents: [$main]}' >"$work/commit.json"
commit=$(gh api --method POST "repos/$manifests/git/commits" --input "$work/commit.json" --jq .sha)
if gh api "repos/$manifests/git/ref/heads/$branch" >/dev/null 2>&1; then
    gh api --method PATCH "repos/$manifests/git/refs/heads/$branch" --raw-field "sha=$commit" --field force=true >/dev/null
else
    gh api --method POST "repos/$manifests/git/refs" --raw-field "ref=refs/heads/$branch" --raw-field "sha=$commit" >/dev/null
fi

# A fork may have a branch of the same name.
url=$(gh pr list --repo "$manifests" --head "$branch" --base main --state open \
    --json url,isCrossRepository --jq 'map(select(.isCrossRepository | not))[0].url // empty')
if [ -n "$url" ]; then
    # Not `gh pr edit`: it also reads the projects of a pull request, for which the App has no permission (https://github.com/cli/cli/pull/13281).
    jq --null-input --arg title "$title" --rawfile body "$work/body.md" '{title: $title, body: $body}' >"$work/pull.json"
    gh api --method PATCH "repos/$manifests/pulls/$(basename "$url")" --input "$work/pull.json" >/dev/null
else
    url=$(gh pr create --repo "$manifests" --head "$branch" --base main --title "$title" --body-file "$work/body.md")
fi
# Only for this commit: a commit that somebody else pushed to the branch is not merged automatically.
if [ -n "$merge" ] && ! gh pr merge "$url" --auto --squash --match-head-commit "$commit" 2>"$work/words"; then
    cat "$work/words" >&2
    case $(cat "$work/words") in
        # There is nothing to wait for: all checks have passed, or none is required.
        *'clean status'*) ;;
        *'not allowed for this repository'*)
            printf 'Allow auto-merge in %s (Settings, General, Pull Requests), and run this job again: %s\n' "$manifests" "$url" >&2
            exit 1
            ;;
        *) exit 1 ;;
    esac
    gh pr merge "$url" --squash --match-head-commit "$commit"
fi
printf '%s: %s\n' "$title" "$url"
