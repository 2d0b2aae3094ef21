#!/bin/bash
# Each header compiles alone, and each source file begins with a comment. Usage: tests/headers.sh [compiler]
set -euo pipefail
cd "$(dirname "$0")/.."

compiler=${1:-cc}
read -ra flags <<<"$(pkg-config --cflags libuv jansson libcrypto libcurl libwebsockets hiredis yaml-0.1)"
failed=0
while IFS= read -r header; do
    "$compiler" -std=c11 -D_GNU_SOURCE -Iinclude "${flags[@]}" -Wall -Wextra -Wconversion -Wshadow \
        -Werror -fsyntax-only -x c - <<<"#include \"$PWD/$header\"" || {
        echo "$header does not compile alone"
        failed=1
    }
done < <(find include/wslock src -name '*.h' | sort)
while IFS= read -r source; do
    [[ $(head -c 2 "$source") == '/*' ]] || {
        echo "$source does not begin with a comment"
        failed=1
    }
done < <(find src -name '*.c' | sort)
exit $failed
