#!/bin/bash
# Faults on three instances of a build, with clients in all types of policies, and a judge of what they saw.
#
#   tests/chaos/run.sh [--rounds N] [--seed S] [--store single|sentinel|cluster] [--scenario NAME] [--jobs N] [--wait-replicas N]
#       [--until RULE,...] [--keep]
#
# Without --scenario the faults are random; --scenario plays those of scenarios.js. --jobs: so many rounds at a time. --wait-replicas: sets
# redis.waitReplicas. --until: ends with the first round that breaks one of these rules. The programs are those of build/, or what WSLOCKD
# names. A seed repeats a round's faults and its clients' choices, though not the timing. Each round prints for each fault how long nobody
# could acquire. A round with findings (--keep: each) leaves its history behind, one JSON object a line.
set -euo pipefail
cd "$(dirname "$0")/../.."
export WSLOCK_BUILD_DIR=${WSLOCK_BUILD_DIR:-$PWD/build}
export WSLOCKD=${WSLOCKD:-$WSLOCK_BUILD_DIR/wslockd}
exec node tests/chaos/main.js "$@"
