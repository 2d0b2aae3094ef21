#!/bin/bash
# Builds (optimised) and measures; see docs/performance.md. Needs no server: the load generator starts a
# private Redis and the daemon itself, on loopback, and stops them.
#
#   tests/bench/run.sh [--quick] [--connections N] [SCENARIO ...]
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${BUILD_DIR:-build-bench}
ulimit -n "$(ulimit -Hn)"
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DWSLOCK_SANITIZE=OFF >/dev/null
cmake --build "$build" -j "$(nproc)" --target wslockd wslock-bench >/dev/null
exec "$build/tests/wslock-bench" "$@"
