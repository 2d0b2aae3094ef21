#!/bin/bash
# Each header in include/wslock compiles alone. Usage: tests/headers.sh [compiler]
set -euo pipefail
cd "$(dirname "$0")/.."

compiler=${1:-cc}
read -ra flags <<<"$(pkg-config --cflags libuv jansson libcrypto)"
failed=0
while IFS= read -r header; do
    "$compiler" -std=c11 -D_GNU_SOURCE -Iinclude "${flags[@]}" -Wall -Wextra -Wconversion -Wshadow \
        -Werror -fsyntax-only -x c - <<<"#include \"${header#include/}\"" || {
        echo "$header does not compile alone"
        failed=1
    }
done < <(find include/wslock -name '*.h' | sort)
exit $failed
