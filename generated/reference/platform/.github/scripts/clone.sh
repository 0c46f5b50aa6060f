#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Clones the repositories that the blueprint renders beside this one, without their history. One that cannot be read is left out, and is
# then compared as if it were empty.
#
#   sh .github/scripts/clone.sh BLUEPRINT
#
# Requires `gh` and GH_TOKEN: a token of a GitHub App that may read the repositories.
set -eu

[ $# -eq 1 ] || { printf 'usage: %s BLUEPRINT\n' "$0" >&2; exit 2; }
owner=acme

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sh "$(dirname "$0")/names.sh" "$1" >"$work/names"
while read -r name; do
    [ ! -e "../$name" ] || continue
    if gh api "repos/$owner/$name" --silent 2>"$work/error"; then
        gh repo clone "$owner/$name" "../$name" -- --quiet --depth 1 </dev/null
        continue
    fi
    case $(cat "$work/error") in
        *'HTTP 404'*) ;;
        *)
            cat "$work/error" >&2
            exit 1
            ;;
    esac
    printf '%s/%s does not exist, or the App is not installed for it: it is compared as if it were empty\n' "$owner" "$name" >&2
done <"$work/names"
