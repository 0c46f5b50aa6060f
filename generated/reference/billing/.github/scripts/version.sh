#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Computes the next version from the tags and the conventional commits in the history of HEAD. Changes nothing.
#
#   sh .github/scripts/version.sh next           prints the version to release HEAD as; nothing if there is nothing to release
#   sh .github/scripts/version.sh notes          prints the release notes of that version, in Markdown
#   sh .github/scripts/version.sh title TITLE    checks the title of a pull request, which becomes the subject of the commit
#
# A tag vX.Y.Z is a release. Without a tag in the history, the first release is due, regardless of the commits. After that,
# a breaking change raises the major version, `feat` the minor version, `fix`, `perf` and a revert the patch version. If HEAD
# has a tag, its version is returned, so that a repeated run has the same version.
#
# A change is breaking if its type ends in `!`, or if a footer starts with `BREAKING CHANGE: `. Footers are the last paragraph of
# the message, if that starts with a footer (`Token: value` or `Token #value`), not counting the co-authors and sign-offs that
# GitHub appends. Release notes that are quoted elsewhere in a message are therefore ignored.
set -eu

first=0.1.0
repository=https://github.com/acme/billing
types='build chore ci docs feat fix perf refactor revert style test'

# The limit of GitHub is 125000 characters, and the workflow adds a line. Counts bytes, which are never fewer than characters.
limit=120000

fail() {
    printf '%s: %s\n' "$0" "$1" >&2
    exit "$2"
}

# Prints the versions of the selected tags, highest first.
versions() {
    git tag --list 'v*' "$@" |
        sed -nE 's/^v((0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*))$/\1/p' |
        sort -t . -k 1,1nr -k 2,2nr -k 3,3nr
}

# Parses the subject of a commit: sets `type`, `scope`, `text` and `breaking`. `type` is empty for other subjects.
subjects='
    function read(subject, head) {
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
    }'

# Reads the commits since the last release: `level` prints 0 (no release) to 3 (breaking), `notes` the changes by type.
commits() {
    git log --format='%x1e%H%x1f%s%x1f%b' "$range" | LC_ALL=C awk -v mode="$1" -v limit="$limit" "$subjects"'
        BEGIN { RS = "\036"; FS = "\037" }

        # Whether the footers contain a breaking change.
        function breaks(body, count, lines, at, last, first) {
            gsub(/\r/, "", body)
            count = split(body, lines, "\n")
            for (last = count; last > 0; last--) {
                if (lines[last] !~ /^[ \t]*$/ && lines[last] !~ /^-+$/ && lines[last] !~ /^(Co-[Aa]uthored-[Bb]y|Signed-[Oo]ff-[Bb]y): /) break
            }
            for (first = last; first > 1 && lines[first - 1] !~ /^[ \t]*$/; first--) {}
            if (last == 0 || lines[first] !~ /^([A-Za-z0-9][A-Za-z0-9-]*|BREAKING CHANGE)(: | #)/) return 0
            for (at = first; at <= last; at++) {
                if (lines[at] ~ /^BREAKING[ -]CHANGE: /) return 1
            }
            return 0
        }

        # Prints whole lines up to the limit, and counts the omitted ones.
        function say(line) {
            if (left || used + length(line) + 1 > limit) { left++; return }
            used += length(line) + 1
            print line
        }

        function list(title, entries, count, at) {
            if (!count) return
            if (!left) printf "### %s\n\n", title
            for (at = 1; at <= count; at++) say(entries[at])
            if (!left) print ""
        }

        NR > 1 {
            hash = $1
            read($2)
            if (breaks($3)) breaking = 1
            entry = "- " scope text " (" hash ")"
            rank = 0
            if (breaking) { rank = 3; changes[++rank3] = entry }
            else if (type == "feat") { rank = 2; features[++rank2] = entry }
            else if (type == "fix" || type == "perf" || type == "revert") { rank = 1; fixes[++rank1] = entry }
            if (rank > level) level = rank
        }

        END {
            if (mode == "level") { printf "%d\n", level; exit }
            list("Breaking changes", changes, rank3)
            list("Features", features, rank2)
            list("Fixes", fixes, rank1)
            if (left) printf "\nThese notes are truncated, because GitHub limits them to 125000 characters. Changes omitted: %d.\n\n", left
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
    # A commit that a release already contains is not released again.
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
    # Skips versions that exist on other branches.
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
    else
        printf '[All commits](%s/commits/v%s)\n\n' "$repository" "$version"
    fi
}

title() {
    printf '%s\n' "$1" | LC_ALL=C awk -v types=" $types " "$subjects"'
        { read($0); known = type != "" && text ~ /[^ ]/ && index(types, " " type " ") }
        END { exit !known }' && return
    # The title is untrusted and not printed, because GitHub interprets workflow commands in the output of a job.
    cat >&2 <<EOF
The title of a pull request becomes a commit, and commits determine the next version. Write

    type: description
    type(scope): description

with an exclamation mark before the colon for a breaking change. The types are
$types.
EOF
    exit 1
}

case $#:${1-} in
    1:next | 1:notes) ;;
    2:title)
        title "$2"
        exit
        ;;
    *) fail 'usage: version.sh next|notes|title TITLE' 2 ;;
esac
[ "$(git rev-parse --is-shallow-repository)" = false ] || fail 'the clone is shallow; fetch the whole history (fetch-depth: 0)' 1

current=$(versions --points-at HEAD | head -n 1)
previous=$(versions --merged HEAD --no-contains HEAD | head -n 1)
range=${previous:+v$previous..}HEAD

case $1 in
    next) next ;;
    notes) notes ;;
esac
