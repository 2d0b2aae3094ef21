#!/bin/bash
# Installs what is missing, builds, and runs the tests; the last lines are ctest's summary.
#
#   tests/run.sh          about twenty minutes on two cores
#   tests/run.sh --all    every test, which takes hours: docs/CONTRIBUTING.md says what the suite leaves out
#
# With WSLOCK_TEST_REDIS=valkey-server against Valkey in place of Redis.
#
# build/ is the ordinary build, build-asan/ the one with AddressSanitizer and UBSan (by clang, so that
# both compilers see the code); ctest in build/ runs the tests of both.
set -euo pipefail
cd "$(dirname "$0")/.."

all=OFF
case "${1:-}" in
"") ;;
--all) all=ON ;;
*)
    echo "usage: tests/run.sh [--all]" >&2
    exit 2
    ;;
esac

config/dev/install.sh test

install_packages() {
    cmp -s tests/e2e/package-lock.json tests/e2e/node_modules/.installed-for && return
    # A package that is compiled takes the headers that came with Node.
    local prefix
    prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
    [ ! -e "$prefix/include/node/node.h" ] || export npm_config_nodedir=$prefix
    (cd tests/e2e && npm ci --no-audit --no-fund && cp package-lock.json node_modules/.installed-for)
}
echo "== npm ci in tests/e2e, beside the build"
install_packages &
packages=$!

jobs=$(nproc)

configure_and_build() { # folder, cmake options ...
    local folder=$1 generator=()
    shift
    # A folder that is there keeps the generator it was made with.
    [ -f "$folder/CMakeCache.txt" ] || generator=(-G Ninja)
    echo "== $folder/"
    cmake "${generator[@]}" -S . -B "$folder" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DWSLOCK_WERROR=ON "$@" \
        >/dev/null
    cmake --build "$folder" -j "$jobs"
}

configure_and_build build -DWSLOCK_SANITIZE=OFF -DWSLOCK_TESTS=ON -DWSLOCK_TEST_ALL=$all \
    -DWSLOCK_ASAN_DIR="$PWD/build-asan"
configure_and_build build-asan -DWSLOCK_SANITIZE=ON -DWSLOCK_TESTS=ON -DWSLOCK_TEST_ALL=$all \
    -DCMAKE_C_COMPILER=clang

wait $packages

echo "== tests"
# In thirds of a core: tests/CMakeLists.txt says what a test takes. Under valgrind (--all) they take their time.
[ $all = ON ] && timeout=1500 || timeout=400
exec ctest --test-dir build --output-on-failure --timeout $timeout -j $((3 * jobs))
