#!/bin/bash
# Every build type is good for both compilers. Usage: tests/build_types.sh [compiler of the ordinary build]
#
# Each type is configured by gcc and by clang. What the compiler is told but for the level of optimization
# makes few kinds of them: of each all sources are checked without code being made, with warnings as
# errors. Release is built whole, by the other compiler than the ordinary build's.
set -euo pipefail
cd "$(dirname "$0")/.."

jobs=$(nproc)
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
failed=0
finding() {
    echo "$*"
    failed=1
}

# The shell commands of a configured folder, a line each.
commands() { # folder
    sed -n 's/^ *"command": "\(.*\)",$/\1/p' "$1/compile_commands.json" | sed 's/\\\(.\)/\1/g'
}

# What the sources of a folder are compiled with, as far as their meaning depends on it.
kind() { # folder
    commands "$1" | sed -nE '1{s/ -g//; s/ -O[0-9sz]/ -O/; s/ -o .*//; p}'
}

# A source that a build only makes is not there yet.
check_sources() { # folder
    commands "$1" | sed -E 's/ -o [^ ]+ -c / -fsyntax-only /' |
        while IFS= read -r command; do
            [ ! -f "${command##* }" ] || printf '%s\n' "$command"
        done | xargs -d '\n' -n 1 -P "$jobs" sh -c
}

configure() { # compiler, type
    cmake -G Ninja -S . -B "$folder/$1-$2" -DCMAKE_C_COMPILER="$1" -DCMAKE_BUILD_TYPE="$2" \
        -DWSLOCK_TESTS=OFF -DWSLOCK_WERROR=ON >"$folder/log" 2>&1 || {
        cat "$folder/log"
        finding "$1, $2: not configured"
        return 1
    }
}

check_type() { # compiler, type
    local all build="$folder/$1-$2" name
    configure "$1" "$2" || return 0
    all=$(commands "$build")
    grep -q ' -Werror ' <<<"$all" || finding "$1, $2: WSLOCK_WERROR has no effect"
    ! grep -q -e '-D *NDEBUG' <<<"$all" || finding "$1, $2: NDEBUG is defined"
    if grep -q ' -O[123s]' <<<"$all"; then
        grep -q -e '-D_FORTIFY_SOURCE=[23]' <<<"$all" || finding "$1, $2: no _FORTIFY_SOURCE"
    else
        ! grep -q -e '-D_FORTIFY_SOURCE' <<<"$all" || finding "$1, $2: _FORTIFY_SOURCE without optimization"
    fi
    name=$(kind "$build" | sha1sum)
    [ ! -e "$folder/${name%% *}" ] || return 0
    touch "$folder/${name%% *}"
    check_sources "$build" || finding "$1, $2: does not compile"
}

# Not one source with an assertion compiles without it.
check_ndebug() { # folder
    local source
    commands "$1" | sed -E 's/ -o [^ ]+ -c / -DNDEBUG -fsyntax-only /' >"$folder/ndebug"
    while IFS= read -r source; do
        ! sh -c "$(grep -F "/$source" "$folder/ndebug")" 2>/dev/null ||
            finding "$source: compiles with NDEBUG"
    done < <(grep -rlE '^ *assert\(' src --include='*.c')
}

ordinary=${1:-gcc}
[[ $ordinary == *clang* ]] && other=gcc || other=clang

configure "$other" Release
cmake --build "$folder/$other-Release" -j "$jobs" --target wslockd wslockctl >"$folder/log" 2>&1 || {
    grep -v '^\[' "$folder/log" || true
    finding "$other, Release: not built"
}
tests/hardening.sh "$folder/$other-Release" || failed=1
kind_built=$(kind "$folder/$other-Release" | sha1sum)
touch "$folder/${kind_built%% *}"
check_ndebug "$folder/$other-Release"

for compiler in gcc clang; do
    for type in None Debug Release RelWithDebInfo MinSizeRel; do
        check_type "$compiler" "$type"
    done
done

# Without being told, warnings are none of a user's business.
cmake -G Ninja -S . -B "$folder/plain" -DWSLOCK_TESTS=OFF >/dev/null
! grep -q ' -Werror ' "$folder/plain/compile_commands.json" || finding 'WSLOCK_WERROR is on by default'
exit $failed
