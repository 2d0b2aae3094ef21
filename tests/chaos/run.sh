#!/bin/bash
# Random faults on three instances of a build, with clients in all types of policies, and a judge of what they saw.
#
#   tests/chaos/run.sh [--rounds N] [--seed S] [--store single] [--calm]
#
# The programs are those of build/, or what WSLOCKD names. A seed repeats a round's faults and its clients' choices, though
# not the timing. A round with findings leaves its history behind, one JSON object a line.
set -euo pipefail
cd "$(dirname "$0")/../.."
export WSLOCK_BUILD_DIR=${WSLOCK_BUILD_DIR:-$PWD/build}
export WSLOCKD=${WSLOCKD:-$WSLOCK_BUILD_DIR/wslockd}
exec node tests/chaos/main.js "$@"
