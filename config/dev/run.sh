#!/bin/bash
# Installs what is missing, builds, and starts wslockd for development with a private Redis. Further
# arguments go to wslockd (config/dev/run.sh --state-dir DIR, --config FILE).
set -euo pipefail
cd "$(dirname "$0")/../.."

config/dev/install.sh run
# What cmake writes last is what it is run by: without it the folder is new, or its first run failed and
# left a cache behind that would keep what was wrong.
if [ ! -f build/build.ninja ] && [ ! -f build/Makefile ]; then
    rm -rf build/CMakeCache.txt build/CMakeFiles
    cmake -B build -G Ninja -DWSLOCK_TESTS=OFF
fi
cmake --build build --target wslockd --target wslockctl -j "$(nproc)"
exec build/wslockd --dev "$@"
