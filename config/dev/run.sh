#!/bin/bash
# Installs what is missing, builds, and starts wslockd for development with a private Redis. Further
# arguments go to wslockd (config/dev/run.sh --state-dir DIR, --config FILE).
set -euo pipefail
cd "$(dirname "$0")/../.."

config/dev/install.sh run
if [ ! -f build/CMakeCache.txt ]; then
    cmake -B build -G Ninja -DWSLOCK_TESTS=OFF
fi
cmake --build build --target wslockd --target wslockctl -j "$(nproc)"
exec build/wslockd --dev "$@"
