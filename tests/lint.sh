#!/bin/bash
# One linter, or all that are quick. Exit 0 clean, 1 findings, 77 skipped.
#
#   tests/lint.sh [format|cppcheck|lua|js|tidy|tidy-all] ...
#
# tidy looks at the C files that differ from the last commit, or else at some of each folder; tidy-all
# at every one. Both need compile_commands.json (BUILD_DIR, default build). clang-format and clang-tidy
# judge differently from version to version: the one of Debian 12 decides, with others they are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

clang_version=14
build_dir=${BUILD_DIR:-build}
skipped=77

c_files() {
    find src include tests -name node_modules -prune -o -name "${1:-*.[ch]}" -print | sort
}

is_clang_version() { # program
    "$1" --version | grep -q "version $clang_version\." && return
    echo "skipped: this is not $1 $clang_version"
    return 1
}

lint_format() {
    is_clang_version clang-format || return $skipped
    local file failed=0
    c_files | xargs clang-format --dry-run -Werror >/dev/null 2>&1 && return
    while IFS= read -r file; do
        clang-format --dry-run -Werror "$file" >/dev/null 2>&1 || {
            echo "$file: run clang-format -i on it"
            failed=1
        }
    done < <(c_files)
    return $failed
}

lint_cppcheck() {
    local root
    root=$(mktemp -d)
    cppcheck --enable=warning,performance,portability --std=c11 --language=c --quiet --inline-suppr \
        --suppressions-list=tests/cppcheck.txt --error-exitcode=1 -j "$(nproc)" \
        --cppcheck-build-dir="$root" --template=gcc -D_GNU_SOURCE -DWSLOCK_VERSION='""' \
        -Iinclude src && rm -r "$root" || {
        rm -r "$root"
        return 1
    }
}

lint_lua() {
    local folder=src/lock/lua prelude_lines file failed=0
    prelude_lines=$(wc -l <$folder/prelude.lua)
    luacheck --no-color --formatter plain --ignore 211 -- $folder/prelude.lua || failed=1
    # A script is checked behind the prelude, as it runs. Of the prelude it need not use everything.
    for file in "$folder"/*.lua; do
        [ "$file" != $folder/prelude.lua ] || continue
        cat $folder/prelude.lua "$file" |
            { luacheck --no-color --formatter plain --codes --filename "$file" - || true; } |
            awk -F: -v skip="$prelude_lines" -v file="$file" '
                $2 > skip { sub(/^[^:]*:[0-9]+/, file ":" ($2 - skip)); print; failed = 1 }
                END { exit failed }' || failed=1
    done
    return $failed
}

lint_js() {
    local file failed=0
    while IFS= read -r file; do
        node --check "$file" || failed=1
    done < <(find src/web tests -name node_modules -prune -o \( -name '*.js' -o -name '*.mjs' \) -print)
    return $failed
}

# Of each folder the first two files.
sample() {
    c_files '*.c' | awk -F/ '{ folder = $1 "/" $2; if (count[folder]++ < 2) print }'
}

changed() {
    git diff --name-only --diff-filter=d HEAD -- 'src/*.c' 'tests/*.c' 2>/dev/null | head -n 30 || true
}

run_tidy() {
    is_clang_version clang-tidy || return $skipped
    # Only what the build compiles: the variants that CMake did not pick have no command.
    grep -Fx -f <(sed -n 's/.*"file": "\(.*\)".*/\1/p' "$build_dir/compile_commands.json") \
        <(sed "s|^|$PWD/|") |
        xargs -r -n 1 -P "$(nproc)" clang-tidy --quiet -p "$build_dir" 2>/dev/null
}

lint_tidy() {
    local files
    files=$(changed)
    [ -n "$files" ] || files=$(sample)
    run_tidy <<<"$files"
}

lint_tidy_all() {
    c_files '*.c' | run_tidy
}

[ $# -gt 0 ] || set -- format cppcheck lua js tidy
result=0
for linter in "$@"; do
    case "$linter" in
    format | cppcheck | lua | js | tidy | tidy-all) ;;
    *)
        echo "unknown linter: $linter" >&2
        exit 2
        ;;
    esac
    status=0
    "lint_${linter//-/_}" || status=$?
    if [ $status -eq $skipped ]; then
        [ $# -gt 1 ] || result=$skipped
    elif [ $status -ne 0 ]; then
        echo "$linter: findings"
        result=1
    fi
done
exit $result
