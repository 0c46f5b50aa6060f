#!/bin/sh
# Tags the commit of this run and writes its release on GitHub. Prints `true`, or `false` if a later commit has to be released
# instead. Run again, it does only what is missing.
#
#   sh .github/scripts/release.sh VERSION NOTES_FILE
#
# Needs `gh`, the variables of a run of GitHub Actions, GH_REPO, and GH_TOKEN, which may write contents.
set -eu

[ $# -eq 2 ] || { printf 'usage: %s VERSION NOTES_FILE\n' "$0" >&2; exit 2; }
tag=v$1
notes=$2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The commit that a branch or a tag names; nothing if there is none.
commit_of() {
    # What fails prints its answer, too.
    if gh api "repos/$GH_REPO/commits/$1" --jq .sha >"$work/commit" 2>/dev/null; then
        cat "$work/commit"
    fi
}

# What the folder of workflows holds in a commit, as the id of its tree.
workflows_of() {
    gh api "repos/$GH_REPO/contents/.github?ref=$1" --jq '.[] | select(.name == "workflows") | .sha'
}

tagged=$(commit_of "tags/$tag")
if [ -z "$tagged" ]; then
    if ! gh api --method POST "repos/$GH_REPO/git/refs" \
        --raw-field "ref=refs/tags/$tag" --raw-field "sha=$GITHUB_SHA" >/dev/null 2>"$work/words"; then
        cat "$work/words" >&2
        # The token of a job may not make a tag whose commit has other workflow files than every branch, and no `permissions`
        # allow it (https://github.com/cli/cli/issues/9514). That happens once main has changed its workflow files.
        grep -q 'HTTP 403' "$work/words" || exit 1
        main=$(commit_of heads/main)
        theirs=$(workflows_of "$main")
        ours=$(workflows_of "$GITHUB_SHA")
        [ "$theirs" != "$ours" ] || exit 1
        printf '::notice title=Released with a later commit::%s\n' \
            "$tag cannot be tagged, for main has changed its workflow files since. The release of $main contains this commit; if that run failed, run it again." >&2
        printf 'false\n'
        exit
    fi
    tagged=$GITHUB_SHA
fi
if [ "$tagged" != "$GITHUB_SHA" ]; then
    printf '::error::%s is the tag of %s, and not of %s. Run all jobs again: the version is read anew.\n' \
        "$tag" "$tagged" "$GITHUB_SHA" >&2
    exit 1
fi

# The notes name the digest, so a repeated run that had to build anew writes them anew. No `--target`: the tag is there, and
# naming a commit would need the right over workflows, too.
if gh release view "$tag" >/dev/null 2>&1; then
    gh release edit "$tag" --notes-file "$notes" >&2
else
    gh release create "$tag" --verify-tag --title "$tag" --notes-file "$notes" >&2
fi
printf 'true\n'
