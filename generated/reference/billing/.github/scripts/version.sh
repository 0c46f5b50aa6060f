#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Reads the next version from the tags and the conventional commits of HEAD's history. Changes nothing.
#
#   sh .github/scripts/version.sh next     the version to release HEAD as; nothing when there is nothing to release
#   sh .github/scripts/version.sh notes    the release notes of that version, in Markdown
#
# A tag vX.Y.Z is a release. Without one in the history the first release is due, whatever the commits say. After that
# a breaking change raises the first number, `feat` the second, `fix`, `perf` and a revert the third. A HEAD that
# has a tag keeps it, so a run that is repeated names the same version again.
set -eu

first=0.1.0
repository=https://github.com/acme/billing

fail() {
    printf '%s: %s\n' "$0" "$1" >&2
    exit "$2"
}

# Versions among the tags that the options select, highest first.
versions() {
    git tag --list 'v*' "$@" |
        sed -nE 's/^v((0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*))$/\1/p' |
        sort -t . -k 1,1nr -k 2,2nr -k 3,3nr
}

# Walks the commits since the last release: `level` prints 0 (nothing) to 3 (breaking), `notes` the changes by kind.
commits() {
    git log --format='%x1e%H%x1f%s%x1f%b' "$range" | awk -v mode="$1" '
        BEGIN { RS = "\036"; FS = "\037" }

        function list(title, entries) {
            if (entries != "") printf "### %s\n\n%s\n", title, entries
        }

        NR > 1 {
            hash = $1; subject = $2; body = "\n" $3
            type = ""; scope = ""; text = subject; breaking = 0
            if (match(subject, /^[A-Za-z]+(\([^()]+\))?!?: +/)) {
                head = substr(subject, 1, RLENGTH)
                text = substr(subject, RLENGTH + 1)
                breaking = index(head, "!:") > 0
                type = head
                sub(/[(!:].*/, "", type)
                type = tolower(type)
                if (match(head, /\(.*\)/)) scope = "**" substr(head, RSTART + 1, RLENGTH - 2) ":** "
            } else if (subject ~ /^(Revert|Reapply) "/) {
                type = "revert"
            }
            if (body ~ /\nBREAKING[ -]CHANGE: /) breaking = 1

            entry = "- " scope text " (" hash ")\n"
            rank = 0
            if (breaking) { rank = 3; changes = changes entry }
            else if (type == "feat") { rank = 2; features = features entry }
            else if (type == "fix" || type == "perf" || type == "revert") { rank = 1; fixes = fixes entry }
            if (rank > level) level = rank
        }

        END {
            if (mode == "level") { printf "%d\n", level; exit }
            list("Breaking changes", changes)
            list("Features", features)
            list("Fixes", fixes)
        }'
}

# raise VERSION LEVEL
raise() {
    printf '%s\n' "$1" | awk -F . -v level="$2" '
        level == 3 { printf "%d.0.0\n", $1 + 1 }
        level == 2 { printf "%d.%d.0\n", $1, $2 + 1 }
        level == 1 { printf "%d.%d.%d\n", $1, $2, $3 + 1 }'
}

next() {
    if [ -n "$current" ]; then
        printf '%s\n' "$current"
        return
    fi
    # An older commit never overtakes a release that already contains it.
    later=$(versions --contains HEAD | tail -n 1)
    if [ -n "$later" ]; then
        printf '%s: HEAD was released with %s\n' "$0" "$later" >&2
        return
    fi
    if [ -z "$previous" ]; then
        level=1
        candidate=$first
    else
        level=$(commits level)
        if [ "$level" -eq 0 ]; then
            printf '%s: nothing to release since %s\n' "$0" "$previous" >&2
            return
        fi
        candidate=$(raise "$previous" "$level")
    fi
    # A number that another line of history took is not given a second time.
    while git rev-parse --quiet --verify "refs/tags/v$candidate" >/dev/null; do
        candidate=$(raise "$candidate" "$level")
    done
    printf '%s\n' "$candidate"
}

notes() {
    version=$(next)
    [ -n "$version" ] || return 0
    if [ -z "$previous" ]; then
        printf 'The first release.\n\n'
    fi
    commits notes
    if [ -n "$previous" ]; then
        printf '[All changes](%s/compare/v%s...v%s)\n\n' "$repository" "$previous" "$version"
    fi
}

[ $# -eq 1 ] || fail 'usage: version.sh next|notes' 2
[ "$(git rev-parse --is-shallow-repository)" = false ] || fail 'the history is cut short; fetch all of it (fetch-depth: 0)' 1

current=$(versions --points-at HEAD | head -n 1)
previous=$(versions --merged HEAD --no-contains HEAD | head -n 1)
range=${previous:+v$previous..}HEAD

case $1 in
    next) next ;;
    notes) notes ;;
    *) fail 'usage: version.sh next|notes' 2 ;;
esac
