#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Prints the names of the repositories that the blueprint renders, one per line.
#
#   sh .github/scripts/names.sh BLUEPRINT
set -eu

[ $# -eq 1 ] || { printf 'usage: %s BLUEPRINT\n' "$0" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# In an empty folder, every file differs.
status=0
blueprint diff "$1" --out "$work/none" --name-only >"$work/paths" || status=$?
[ "$status" -eq 3 ] || exit "$status"
cut -d / -f 1 "$work/paths" | sort -u
