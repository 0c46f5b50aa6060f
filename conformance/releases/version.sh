#!/bin/sh
# Tests the rendered .github/scripts/version.sh on temporary git histories.
#
#   sh version.sh PATH/TO/.github/scripts/version.sh
#
# Needs git. Touches nothing outside of a temporary folder. Ends with "N passed, N failed" and status 0 or 1.
set -eu

[ $# -eq 1 ] || { printf 'usage: %s SCRIPT\n' "$0" >&2; exit 2; }
script=$(CDPATH='' cd -- "$(dirname -- "$1")" && pwd)/$(basename -- "$1")
shell=${VERSION_SHELL:-sh}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The git configuration of the machine must not affect it: no signing, no hooks, no templates.
export HOME="$work" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 GIT_EDITOR=true
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost
export GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'

passed=0
failed=0
name=

# A new, empty history.
history() {
    name=$1
    cd "$work"
    rm -rf repository
    git init --quiet --initial-branch=main repository
    cd repository
}

commit() { git commit --quiet --allow-empty --cleanup=verbatim --message "$1"; }
tag() { git tag "$@"; }

judge() { # judge WHAT EXPECTED ACTUAL
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s: %s\n  expected: %s\n  actual:   %s\n' "$name" "$1" "$2" "$3"
    fi
}

next() { judge next "$1" "$("$shell" "$script" next 2>"$work/stderr")"; }
notes_have() {
    case $("$shell" "$script" notes 2>/dev/null) in
        *"$1"*) judge "notes have '$1'" yes yes ;;
        *) judge "notes have '$1'" yes no ;;
    esac
}
notes_lack() {
    case $("$shell" "$script" notes 2>/dev/null) in
        *"$1"*) judge "notes lack '$1'" yes no ;;
        *) judge "notes lack '$1'" yes yes ;;
    esac
}
stderr_has() {
    if grep -q -e "$1" "$work/stderr"; then judge "says '$1'" yes yes; else judge "says '$1'" yes no; fi
}

newline='
'
return=$(printf '\r')

# --- no release yet
history 'none: the first release is due whatever the commits say'
commit 'Initial commit'
next 0.1.0
notes_have 'The first release.'
notes_lack compare

history 'none: a breaking feature does not move the first release'
commit 'feat!: everything'
next 0.1.0
notes_have 'everything'

history 'none: tags that are no release do not count'
commit 'chore: start'
tag v1
tag v1.2
tag 1.2.3
tag v1.2.3-rc.1
tag v01.2.3
tag vim
tag latest
next 0.1.0

# --- what raises what
history 'fix raises the third number'
commit 'chore: start'
tag v0.1.0
commit 'fix: round down'
next 0.1.1
notes_have '### Fixes'
notes_have '- round down ('
notes_have "$(git rev-parse HEAD)"
notes_have '[All changes](https://github.com/'
notes_have '/compare/v0.1.0...v0.1.1)'
notes_lack '### Features'
notes_lack 'The first release.'

history 'perf raises the third number'
commit 'chore: start'
tag v1.4.9
commit 'perf: cache prices'
next 1.4.10

history 'feat raises the second number and wins over fix, in either order'
commit 'chore: start'
tag v0.1.7
commit 'fix: one'
commit 'feat(cart): two'
commit 'fix: three'
next 0.2.0
notes_have '### Features'
notes_have '- **cart:** two ('
notes_have '- one ('
notes_have '- three ('

history 'the type may be in capitals'
commit 'chore: start'
tag v0.1.0
commit 'Feat: shout'
next 0.2.0

history 'breaking by ! raises the first number, from 0 too'
commit 'chore: start'
tag v0.3.2
commit 'feat!: drop XML'
next 1.0.0
notes_have '### Breaking changes'
notes_have '- drop XML ('
notes_lack '### Features'

history 'breaking by ! after a scope, of a type that alone releases nothing'
commit 'chore: start'
tag v1.3.2
commit 'refactor(api)!: rename fields'
commit 'fix: later'
next 2.0.0
notes_have '- **api:** rename fields ('

history 'breaking by footer'
commit 'chore: start'
tag v1.3.2
commit "fix: stricter parser${newline}${newline}Some words.${newline}${newline}BREAKING CHANGE: tabs are refused"
next 2.0.0
notes_have '### Breaking changes'

history 'breaking by footer, below words of several paragraphs and above what GitHub appends to a squash'
commit 'chore: start'
tag v1.3.2
commit "fix: stricter parser (#7)${newline}${newline}Some words.${newline}${newline}More words.${newline}${newline}Fixes #12${newline}BREAKING CHANGE: tabs${newline}  are refused${newline}${newline}---------${newline}${newline}Signed-off-by: A <a@localhost>${newline}Co-authored-by: B <b@localhost>"
next 2.0.0

history 'breaking by footer, with the line ends of a description that was written in the browser'
commit 'chore: start'
tag v1.3.2
commit "fix: stricter parser (#7)${newline}${newline}Some words.${return}${newline}${return}${newline}BREAKING CHANGE: tabs are refused${return}"
next 2.0.0

history 'breaking by footer, as the only paragraph'
commit 'chore: start'
tag v1.3.2
commit "chore: move${newline}${newline}BREAKING CHANGE: the path is new"
next 2.0.0

history 'breaking by the other footer'
commit 'chore: start'
tag v1.3.2
commit "chore: move${newline}${newline}BREAKING-CHANGE: the path is new"
next 2.0.0

history 'words about breaking changes are no breaking change'
commit 'chore: start'
tag v1.3.2
commit "fix: text${newline}${newline}No BREAKING CHANGE: this is in the middle of a line.${newline}breaking change: small letters"
next 1.3.3

history 'release notes that a message quotes break nothing'
commit 'chore: start'
tag v5.0.0
commit "fix(deps): update module example.com/client to v3 (#44)${newline}${newline}This PR contains the following updates:${newline}${newline}### Release Notes${newline}${newline}BREAKING CHANGE: the client wants a context${newline}${newline}BREAKING CHANGE: another one${newline}Closes #3${newline}${newline}---${newline}${newline}### Configuration${newline}${newline}This PR was generated by Renovate."
next 5.0.1
notes_lack '### Breaking changes'

history 'a newer base image, by Renovate'
commit 'chore: start'
tag v1.3.2
commit "fix(deps): update base image and toolchain (#45)${newline}${newline}| Package | Update | Change |${newline}| go | patch | 1.26.9 -> 1.26.10 |"
next 1.3.3
notes_have 'update base image and toolchain'

history 'words in the last paragraph are no footer'
commit 'chore: start'
tag v1.3.2
commit "fix: text${newline}${newline}These words come first.${newline}BREAKING CHANGE: and this is one of them"
next 1.3.3

history 'a revert is released: it changes what runs'
commit 'chore: start'
tag v1.0.0
echo idea >idea
git add idea
commit 'feat: bad idea'
tag v1.1.0
git revert --no-edit HEAD >/dev/null
next 1.1.1
notes_have '- Revert "feat: bad idea" ('
tag v1.1.1
git revert --no-edit HEAD >/dev/null
next 1.1.2

history 'revert as a type'
commit 'chore: start'
tag v1.1.0
commit 'revert: bad idea'
next 1.1.1

# --- nothing to release
history 'no release: other types alone'
commit 'chore: start'
tag v0.1.0
commit 'chore: tidy'
commit 'docs: words'
commit 'ci: faster'
commit 'test(cart): more'
commit 'refactor: same'
next ''
stderr_has 'nothing to release since 0.1.0'
judge 'notes' '' "$("$shell" "$script" notes 2>/dev/null)"

history 'no release: subjects that only look alike'
commit 'chore: start'
tag v0.1.0
commit 'fixes: not a type'
commit 'feature: not a type'
commit 'fix without colon'
commit 'fix:no space'
commit 'prefix fix: words'
commit 'feat (cart): a space before the scope'
next ''

# --- repeated runs
history 're-run: a tagged commit keeps its version'
commit 'chore: start'
tag v0.1.0
commit 'feat: two'
tag v0.2.0
next 0.2.0
notes_have '- two ('
notes_have '/compare/v0.1.0...v0.2.0)'
commit 'fix: three'
next 0.2.1
git checkout --quiet v0.2.0
next 0.2.0

history 're-run: the first release keeps its version and its notes'
commit 'feat: start'
first_notes=$("$shell" "$script" notes)
tag v0.1.0
next 0.1.0
judge 'notes' "$first_notes" "$("$shell" "$script" notes)"

history 're-run: notes are the same before and after the tag'
commit 'chore: start'
tag v0.1.0
commit 'feat: two'
before=$("$shell" "$script" notes)
tag v0.2.0
judge 'notes' "$before" "$("$shell" "$script" notes)"

history 're-run: an annotated tag counts as well'
commit 'chore: start'
tag --annotate --message one v0.1.0
next 0.1.0
commit 'fix: two'
next 0.1.1

history 're-run: of two tags on one commit the higher names it'
commit 'chore: start'
tag v0.9.0
tag v0.10.0
next 0.10.0

history 're-run: an older commit does not overtake the release that contains it'
commit 'chore: start'
tag v0.1.0
commit 'feat: cancelled run'
commit 'fix: released run'
tag v0.2.0
git checkout --quiet HEAD^
next ''
stderr_has 'HEAD was released with 0.2.0'

# --- order and lines of history
history 'numbers are compared as numbers'
commit 'chore: start'
tag v0.9.0
commit 'chore: more'
tag v0.10.0
commit 'fix: last'
next 0.10.1

history 'a tag on another line of history is no base'
commit 'chore: start'
tag v0.1.0
git checkout --quiet -b other
commit 'feat!: elsewhere'
tag v9.9.9
git checkout --quiet main
commit 'fix: here'
next 0.1.1
notes_lack elsewhere

history 'a number that another line of history took is not given twice'
commit 'chore: start'
tag v0.1.0
git checkout --quiet -b other
commit 'fix: elsewhere'
tag v0.1.1
git checkout --quiet main
commit 'fix: here'
next 0.1.2
notes_have '/compare/v0.1.0...v0.1.2)'

history 'neither is the first one'
commit 'chore: start'
git checkout --quiet --orphan other
commit 'chore: elsewhere'
tag v0.1.0
git checkout --quiet main
next 0.1.1

history 'merge commits: the commits of the branch count'
commit 'chore: start'
tag v0.1.0
git checkout --quiet -b branch
commit 'feat: from the branch'
commit 'docs: from the branch'
git checkout --quiet main
commit 'chore: meanwhile'
git merge --quiet --no-ff --message "Merge pull request #1 from acme/branch${newline}${newline}feat: from the branch" branch
next 0.2.0
notes_have '- from the branch ('
notes_lack 'Merge pull request'

history 'merge commits: a tag on the merged branch is a base'
commit 'chore: start'
tag v0.1.0
git checkout --quiet -b branch
commit 'feat: from the branch'
tag v0.2.0
git checkout --quiet main
commit 'chore: meanwhile'
git merge --quiet --no-ff --message 'Merge branch' branch
next ''

history 'squash: the pull request title decides, the list of commits below it does not'
commit 'chore: start'
tag v0.1.0
commit "fix: title (#7)${newline}${newline}* feat: inside${newline}${newline}* chore: also inside"
next 0.1.1
notes_have '- title (#7) ('

# --- more changes than GitHub takes
history 'notes that are too long are cut between lines, most important first, and say so'
long=$(printf "%03000d" 0)
commit "feat!: breaks"
for number in $(seq 50); do commit "fix: $number $long"; done
notes=$("$shell" "$script" notes)
judge 'length' short "$([ "${#notes}" -lt 121000 ] && echo short || echo "${#notes}")"
notes_have '- breaks ('
notes_have "- 50 $long ("
notes_have 'These notes are truncated'
notes_have '/commits/v0.1.0)'
entries=$(printf '%s\n' "$notes" | grep -c '^- ')
notes_have "Changes omitted: $((51 - entries))."
judge 'whole lines' "$entries" "$(printf '%s\n' "$notes" | grep -cE '^- .* \([0-9a-f]{40}\)$')"

# --- titles of pull requests
title() { # title ACCEPTED|REFUSED TITLE
    status=0
    "$shell" "$script" title "$2" >"$work/stdout" 2>"$work/stderr" || status=$?
    case $status in
        0) judge "title '$2'" "$1" accepted ;;
        1) judge "title '$2'" "$1" refused ;;
        *) judge "title '$2'" "$1" "status $status" ;;
    esac
}

name='titles'
cd "$work"
for type in build chore ci docs feat fix perf refactor revert style test; do
    title accepted "$type: words"
done
title accepted 'feat(cart)!: words'
title accepted 'Fix: words: and more words'
title accepted 'Revert "feat: bad idea"'
title accepted 'chore(deps): update module example.com/client to v3'
title refused 'words'
title refused 'feature: words'
title refused 'fix words'
title refused 'fix:words'
title refused 'fix: '
title refused 'feat (cart): words'
title refused ''
stderr_has 'build chore ci docs feat fix'
title refused '::stop-commands::pause'
judge 'a title is not printed' no "$(grep -q stop-commands "$work/stderr" && echo yes || echo no)"
# shellcheck disable=SC2016
title refused '$(touch pwned)'
judge 'no command ran' no "$([ -e pwned ] && echo yes || echo no)"

# --- words that are no shell and no awk
history 'hostile words stay words'
commit 'chore: start'
tag v0.1.0
# shellcheck disable=SC2016 # the words are the point
commit 'fix: $(touch pwned) `touch pwned` "; touch pwned; " %s %d \n & \1'
next 0.1.1
# shellcheck disable=SC2016
notes_have '$(touch pwned) `touch pwned` "; touch pwned; " %s %d \n & \1'
judge 'no command ran' no "$([ -e pwned ] && echo yes || echo no)"

# --- misuse
history 'a history that is cut short is refused'
commit 'chore: start'
tag v0.1.0
commit 'fix: two'
commit 'fix: three'
git clone --quiet --depth 1 "file://$work/repository" "$work/shallow" 2>/dev/null
cd "$work/shallow"
status=0
"$shell" "$script" next >"$work/stdout" 2>"$work/stderr" || status=$?
judge status 1 "$status"
judge stdout '' "$(cat "$work/stdout")"
stderr_has 'fetch-depth: 0'

history 'wrong usage'
commit 'chore: start'
for arguments in '' 'frobnicate' 'next notes' 'title' 'title a b'; do
    status=0
    # shellcheck disable=SC2086 # several words are meant
    "$shell" "$script" $arguments >/dev/null 2>&1 || status=$?
    judge "status of '$arguments'" 2 "$status"
done

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
