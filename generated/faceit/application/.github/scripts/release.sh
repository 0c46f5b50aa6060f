#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Tags the commit of this run and creates its GitHub release. Prints `true`, or `false` if a later commit has to be released
# instead. Can be run again: only missing steps are executed.
#
#   sh .github/scripts/release.sh VERSION NOTES_FILE
#
# Requires `gh`, the environment variables of a GitHub Actions run, GH_REPO, and GH_TOKEN with write access to contents.
set -eu

[ $# -eq 2 ] || { printf 'usage: %s VERSION NOTES_FILE\n' "$0" >&2; exit 2; }
tag=v$1
notes=$2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints the commit of a branch or a tag; nothing if it does not exist.
commit_of() {
    # On failure `gh` also prints the response, so the output is not used directly.
    if gh api "repos/$GH_REPO/commits/$1" --jq .sha >"$work/commit" 2>/dev/null; then
        cat "$work/commit"
    fi
}

# Prints the tree id of the workflows folder in a commit.
workflows_of() {
    gh api "repos/$GH_REPO/contents/.github?ref=$1" --jq '.[] | select(.name == "workflows") | .sha'
}

tagged=$(commit_of "tags/$tag")
if [ -z "$tagged" ]; then
    if ! gh api --method POST "repos/$GH_REPO/git/refs" \
        --raw-field "ref=refs/tags/$tag" --raw-field "sha=$GITHUB_SHA" >/dev/null 2>"$work/words"; then
        cat "$work/words" >&2
        # The token of a job cannot create a tag for a commit whose workflow files differ from those of every branch, and no
        # `permissions` allow it (https://github.com/cli/cli/issues/9514). This happens after the workflow files on main changed.
        grep -q 'HTTP 403' "$work/words" || exit 1
        main=$(commit_of heads/main)
        theirs=$(workflows_of "$main")
        ours=$(workflows_of "$GITHUB_SHA")
        [ "$theirs" != "$ours" ] || exit 1
        printf '::notice title=Released with a later commit::%s\n' \
            "$tag cannot be created, because the workflow files on main have changed since. The release of $main contains this commit; if that run failed, run it again." >&2
        printf 'false\n'
        exit
    fi
    tagged=$GITHUB_SHA
fi
if [ "$tagged" != "$GITHUB_SHA" ]; then
    printf '::error::%s is the tag of %s, not of %s. Re-run all jobs to compute the version again.\n' \
        "$tag" "$tagged" "$GITHUB_SHA" >&2
    exit 1
fi

# The notes contain the digest, so they are updated if a repeated run had to build again. No `--target`: the tag exists, and a target
# commit would need write access to workflows.
if gh release view "$tag" >/dev/null 2>&1; then
    gh release edit "$tag" --notes-file "$notes" >&2
else
    gh release create "$tag" --verify-tag --title "$tag" --notes-file "$notes" >&2
fi
printf 'true\n'
