#!/bin/bash
# What protects the programs is in them: position independence, read-only relocations, stack protector,
# checked string functions, control-flow protection; and assertions are on.
#
#   tests/hardening.sh BUILD_DIR      wslockd and wslockctl of a build
#   tests/hardening.sh --self-test [COMPILER]   a program without one of them is found
set -euo pipefail
export LC_ALL=C

failed=0
finding() { # program, what is missing
    echo "$1: $2"
    failed=1
}

has() { # pattern, readelf's arguments ...
    local pattern=$1
    shift
    grep -qE "$pattern" <<<"$(readelf -W "$@" 2>/dev/null)"
}

check_program() { # program, fortified: yes or no
    local program=$1
    has '^ *Type: +DYN' -h "$program" && has 'FLAGS_1.*PIE' -d "$program" || finding "$program" 'no PIE'
    has 'GNU_RELRO' -l "$program" || finding "$program" 'no RELRO'
    has 'FLAGS_1.*NOW' -d "$program" || finding "$program" 'not bound when it starts (-z now)'
    has 'GNU_STACK +.* RW ' -l "$program" || finding "$program" 'its stack is executable'
    has ' __stack_chk_fail' --dyn-syms "$program" || finding "$program" 'no stack protector'
    has ' __assert_fail' --dyn-syms "$program" || finding "$program" 'no assertion'
    if [ "$2" = yes ]; then
        has ' __[a-z]+_chk[@ ]' --dyn-syms "$program" || finding "$program" 'no _FORTIFY_SOURCE'
    fi
}

# A program has the note of control-flow protection if all its parts have, also those of the C library.
check_control_flow() { # note, compiler, object or archive, program ...
    local note=$1 compiler=$2 object=$3 parts with program
    shift 3
    parts=$(readelf -hW "$object" | grep -c '^ *Type: *REL')
    with=$(readelf -nW "$object" | grep -c "$note") || true
    [ "$parts" = "$with" ] || finding "$object" "$with of $parts parts have control-flow protection"
    has "$note" -n "$("$compiler" -print-file-name=crt1.o)" || return 0
    for program; do
        has "$note" -n "$program" || finding "$program" 'no control-flow protection'
    done
}

check_build() { # folder
    local commands=$1/compile_commands.json compiler fortified=no archive
    compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$1/CMakeCache.txt")
    ! grep -q -e '-D_FORTIFY_SOURCE' "$commands" || fortified=yes
    ! grep -q -e ' -O[123s]' "$commands" || [ $fortified = yes ] || finding "$1" 'optimized without _FORTIFY_SOURCE'
    ! grep -q -e '-D *NDEBUG' "$commands" || finding "$1" 'compiled with NDEBUG'
    check_program "$1/wslockd" $fortified
    check_program "$1/wslockctl" $fortified
    for archive in "$1"/src/libwslock_*.a; do
        if grep -q -e '-fcf-protection' "$commands"; then
            check_control_flow 'IBT, SHSTK' "$compiler" "$archive" "$1/wslockd" "$1/wslockctl"
        elif grep -q -e '-mbranch-protection' "$commands"; then
            check_control_flow 'BTI, PAC' "$compiler" "$archive" "$1/wslockd" "$1/wslockctl"
        fi
    done
}

self_test() { # compiler
    local folder all="-O2 -fPIE -pie -Wl,-z,relro -Wl,-z,now -fstack-protector-strong -D_FORTIFY_SOURCE=2"
    folder=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -r '$folder'" EXIT
    cat >"$folder/x.c" <<'C'
#include <assert.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
    char text[16];
    assert(argc > 0);
    strcpy(text, argv[0]);
    return printf("%s", text);
}
C
    expect() { # what is found, flags ...
        local found
        # shellcheck disable=SC2086
        "$compiler" -U_FORTIFY_SOURCE $all "${@:2}" -o "$folder/x" "$folder/x.c"
        found=$(check_program "$folder/x" yes)
        [ "$found" = "${1:+$folder/x: $1}" ] || {
            echo "with ${*:2}: found '$found' instead of '$1'"
            failed=1
        }
    }
    local compiler=$1
    expect ''
    expect 'no PIE' -no-pie
    expect 'no RELRO' -Wl,-z,norelro
    expect 'not bound when it starts (-z now)' -Wl,-z,lazy
    expect 'its stack is executable' -Wl,-z,execstack
    expect 'no stack protector' -fno-stack-protector
    expect 'no assertion' -DNDEBUG
    expect 'no _FORTIFY_SOURCE' -U_FORTIFY_SOURCE
    if "$compiler" -fcf-protection=full -c -o "$folder/with.o" "$folder/x.c" 2>/dev/null; then
        "$compiler" -fcf-protection=none -c -o "$folder/without.o" "$folder/x.c"
        [ -z "$(check_control_flow 'IBT, SHSTK' "$compiler" "$folder/with.o")" ] || failed=1
        [ -n "$(check_control_flow 'IBT, SHSTK' "$compiler" "$folder/without.o")" ] || failed=1
    fi
}

case "${1:-}" in
--self-test) self_test "${2:-cc}" ;;
'') echo "usage: tests/hardening.sh BUILD_DIR | --self-test [COMPILER]" >&2 && exit 2 ;;
*) check_build "$1" ;;
esac
exit $failed
