#!/bin/bash
# Plants bugs in a copy of the sources, one at a time, and says which rule of the judge finds each.
#
#   tests/chaos/bugs.sh [NAME...]
#   tests/chaos/bugs.sh --check     only checks that each patch can be applied, and names a scenario and rules that exist
#
# A bug is bugs/NAME.patch. The lines before its first hunk say what is wrong with it, and with `scenario: NAME` which faults make it show
# (scenarios.js), with `rules: NAME ...` which of the judge's rules are to find it, one of them at least, and maybe with
# `options: ...` what else run.sh is to be given. WSLOCK_BUILD_DIR, or build/, has the preloaded clock. Fails if a bug was not found
# within ROUNDS rounds (6), or if a patch cannot be applied any more.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
export WSLOCK_BUILD_DIR=${WSLOCK_BUILD_DIR:-$root/build}
rounds=${ROUNDS:-6}
jobs=${JOBS:-2}

if [ "${1:-}" = --check ]; then
    failed=0
    for patch in tests/chaos/bugs/*.patch; do
        patch -p1 --dry-run --batch --forward --quiet <"$patch" || {
            echo "$patch cannot be applied"
            failed=1
        }
        node -e '
            const [patch, scenario, ...rules] = process.argv.slice(1);
            const known = [scenario in require("./tests/chaos/scenarios"), ...rules.map((rule) => rule in require("./tests/chaos/judge").RULES)];
            if (rules.length === 0 || known.includes(false)) {
                console.log(`${patch} names a scenario or a rule that does not exist`);
                process.exitCode = 1;
            }' "$patch" "$(sed -n 's/^scenario: //p' "$patch")" $(sed -n 's/^rules: //p' "$patch") || failed=1
    done
    exit $failed
fi

names=("$@")
if [ $# -eq 0 ]; then
    for patch in tests/chaos/bugs/*.patch; do
        names+=("$(basename "$patch" .patch)")
    done
fi

# A fixed place, so that ccache knows what it compiles.
work=$WSLOCK_BUILD_DIR/chaos-bugs
rm -rf "$work/source" "$work/tmp"
mkdir -p "$work/source" "$work/tmp"
cp -r CMakeLists.txt src include config docs LICENSE README.md "$work/source"
cmake -G Ninja -S "$work/source" -B "$work/build" -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-O1 -DWSLOCK_TESTS=OFF >"$work/log"

build() {
    cmake --build "$work/build" -j "$jobs" --target wslockd >"$work/log" 2>&1 || {
        tail -20 "$work/log" >&2
        return 1
    }
}

missed=0
try() { # name
    local name=$1 patch=$root/tests/chaos/bugs/$1.patch out=$work/out scenario options rules found
    scenario=$(sed -n 's/^scenario: //p' "$patch")
    read -ra options <<<"$(sed -n 's/^options: //p' "$patch")"
    rules=$(sed -n 's/^rules: //p' "$patch" | tr ' ' ',')
    if ! patch -d "$work/source" -p1 --batch --forward --reject-file=- <"$patch" >"$work/log"; then
        cat "$work/log"
        echo "$name: the patch does not apply"
        exit 1
    fi
    build
    export TMPDIR=$work/tmp/$name
    mkdir -p "$TMPDIR"
    WSLOCKD=$work/build/wslockd node tests/chaos/main.js --until "$rules" --rounds "$rounds" --jobs "$jobs" --seed 1 \
        --scenario "$scenario" "${options[@]}" >"$out" || true
    found=$(sed -n 's/^  \([a-zA-Z]*\): .*/\1/p' "$out" | sort | uniq -c | sort -rn | awk '{print $2 " (" $1 ")"}' | paste -sd, | sed 's/,/, /g')
    if grep -qE "^  (${rules//,/|}): " "$out"; then
        echo "$name: $found in $(tail -1 "$out")"
    else
        echo "$name: NOT FOUND by $rules in $rounds rounds of \"$scenario\"; found: ${found:-nothing}"
        missed=$((missed + 1))
    fi
    patch -d "$work/source" -p1 --batch --reverse <"$patch" >"$work/log"
}

for name in "${names[@]}"; do
    try "$name"
done
echo "${#names[@]} bugs, $missed not found"
[ "$missed" -eq 0 ]
