#!/bin/sh
# Compares the repositories beside this one with what the blueprint renders, and writes what differs as Markdown. Fails if a render
# would be refused, because somebody edited a file.
#
#   sh .github/scripts/compare.sh BLUEPRINT COMMENT
set -eu

[ $# -eq 2 ] || { printf 'usage: %s BLUEPRINT COMMENT\n' "$0" >&2; exit 2; }
blueprint=$1
comment=$2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

status=0
{
    printf '### Blueprint\n\n'
    blueprint diff "$blueprint" --out .. --format github 2>"$work/said" || status=$?
    [ "$status" -ne 0 ] || printf 'The repositories are what this blueprint renders.\n'
    # Such as a repository that leaves the blueprint.
    sed -n 's/^note: \(.*\)/\n> \1/p' "$work/said"
} >"$comment"
case $status in
    0 | 1 | 3) ;;
    *)
        cat "$work/said" >&2
        exit "$status"
        ;;
esac

# What differs is what the pull request changes. A conflict is a failure.
status=0
blueprint check "$blueprint" --out .. || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 3 ] || exit "$status"
