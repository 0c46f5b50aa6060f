#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Installs blueprint from the commit that the blueprint names in `[github.review]`, so that a change of this commit is reviewed with the
# program that will render it. An installed program of the same commit stays.
#
#   sh .github/scripts/install.sh BLUEPRINT FOLDER
#
# Requires `cargo`, `git` and `python3`. The program is then FOLDER/bin/blueprint.
set -eu

[ $# -eq 2 ] || { printf 'usage: %s BLUEPRINT FOLDER\n' "$0" >&2; exit 2; }
blueprint=$1
folder=$2

key() {
    python3 -c 'import sys, tomllib
with open(sys.argv[1], "rb") as file:
    print(tomllib.load(file)["github"]["review"][sys.argv[2]])' "$blueprint" "$1"
}
source=$(key source)
revision=$(key revision)

if [ "$(cat "$folder/installed" 2>/dev/null)" = "$source $revision" ]; then
    exit 0
fi
cargo install --quiet --locked --force --git "$source" --rev "$revision" --root "$folder" blueprint
printf '%s %s\n' "$source" "$revision" >"$folder/installed"
