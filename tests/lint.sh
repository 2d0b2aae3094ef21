#!/bin/bash
# Linters: those named, or all that are quick. Exit 0 clean, 1 findings.
#
#   tests/lint.sh [format|cppcheck|lua|js|logs|pointers|tidy|tidy-all] ...
#   tests/lint.sh --list      names those that can decide here
#
# tidy looks at the C files that differ from the last commit, tidy-all at every one. Both need
# compile_commands.json (BUILD_DIR, default build). A linter judges differently from version to version: the
# ones of Debian 12 decide, others are not asked.
set -euo pipefail
cd "$(dirname "$0")/.."

build_dir=${BUILD_DIR:-build}

c_files() {
    find src include tests -name node_modules -prune -o -name "${1:-*.[ch]}" -print | sort
}

decides() { # linter
    case "$1" in
    format) [[ $(clang-format --version) == *'version 14.'* ]] ;;
    tidy* | pointers) [[ $(clang-tidy --version) == *'version 14.'* ]] ;;
    cppcheck) [[ $(cppcheck --version) == *' 2.10'* ]] ;;
    lua) [[ $(luacheck --version) == *'Luacheck: 1.1.'* ]] ;;
    js) command -v node >/dev/null ;;
    logs) command -v perl >/dev/null ;;
    esac 2>/dev/null
}

lint_format() {
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

# The lines of the function library (src/lock/embed.cmake), each behind its file, line number and a tab.
lua_lines() { # folder, scripts
    awk -v folder="$1" -v scripts="$2" '
        function emit(file, line, number) {
            while ((getline line <(folder "/" file)) > 0) {
                number++
                if (sub(/^ *--@include /, "", line)) {
                    emit(line)
                } else {
                    print file ":" number "\t" line
                }
            }
            close(folder "/" file)
        }
        BEGIN {
            emit("library.lua")
            count = split(scripts, script, "\n")
            for (i = 1; i <= count; i++) {
                alone = (getline line <(folder "/" script[i])) > 0 && line == "--@alone"
                close(folder "/" script[i])
                print script[i] ":0\tregister" (alone ? "_alone" : "") "(nil, function(" (alone ? "_, ARGV" : "") ")"
                emit(script[i])
                print script[i] ":0\tend)"
            }
        }'
}

lint_lua() {
    local folder=src/lock/lua parts scripts
    parts=$(sed -n 's/^ *--@include //p' $folder/*.lua)
    scripts=$(cd $folder && ls | grep '\.lua$' | grep -vFx -e library.lua -e "$parts")
    # Parameters and variables of a function may be called like those of the call that runs (W431).
    lua_lines $folder "$scripts" | cut -f 2- |
        { luacheck --no-color --formatter plain --codes - || true; } |
        awk -F: -v folder=$folder '
            NR == FNR { sub(/\t.*/, ""); origin[FNR] = $0; next }
            /\(W431\)/ { next }
            { sub(/^[^:]*:[0-9]+/, folder "/" origin[$2]); print; failed = 1 }
            END { exit failed }' <(lua_lines $folder "$scripts") -
}

# Each file parses: as a module where the browser or Node would take it for one.
lint_js() {
    find src/web tests -name node_modules -prune -o \( -name '*.js' -o -name '*.mjs' \) -print |
        node --no-warnings --experimental-vm-modules -e '
            const [fs, path, vm, { wrap }] = [require("fs"), require("path"), require("vm"), require("module")];
            function inModules(folder) {
                const file = path.join(folder, "package.json");
                return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)).type === "module"
                    : folder !== "." && inModules(path.dirname(folder));
            }
            for (const filename of fs.readFileSync(0, "utf8").trim().split("\n")) {
                const text = fs.readFileSync(filename, "utf8").replace(/^#!.*/, "");
                const isModule = filename.startsWith("src/web/") || filename.endsWith(".mjs") || inModules(path.dirname(filename));
                try {
                    isModule ? new vm.SourceTextModule(text, { identifier: filename }) : new vm.Script(wrap(text), { filename });
                } catch (error) {
                    console.log(`${filename}: ${error.stack.split("\n").slice(0, 5).join("\n")}`);
                    process.exitCode = 1;
                }
            }'
}

# A line of the log has no key twice; what log_write puts in front or behind counts too.
lint_logs() {
    c_files '*.c' | xargs perl -0777 -ne '
        while (/\blog_(?:error|warn|info|debug)(\((?:[^()]++|(?1))*\))/g) {
            my ($call, %seen) = ($1, map { $_ => 1 } qw(event level time suppressed));
            while ($call =~ /\bLF[SI]?\("(\w+)"/g) {
                if ($seen{$1}++) { print "$ARGV: the key $1 is there twice: log_...", substr($call, 0, 60), "\n"; $bad = 1; }
            }
        }
        END { exit $bad }'
}

# A pointer is compared with NULL, not taken for a truth value, but for the macros of jansson.
lint_pointers() {
    local pointer='expr(hasType(pointerType()), isExpansionInFileMatching("/(src|include/wslock)/"))'
    local jansson macro matcher queries=() found
    for macro in is_{object,array,string,integer,real,number,true,false,boolean,null} object_foreach; do
        jansson+=${jansson:+, }"isExpandedFromMacro(\"json_$macro\")"
    done
    for matcher in 'ifStmt(hasCondition(p))' 'whileStmt(hasCondition(p))' 'forStmt(hasCondition(p))' \
        'doStmt(hasCondition(p))' 'conditionalOperator(hasCondition(p))' \
        'unaryOperator(hasOperatorName("!"), hasUnaryOperand(p))' \
        "binaryOperator(hasAnyOperatorName(\"&&\", \"||\"), hasEitherOperand(p), unless(anyOf($jansson)))" \
        'implicitCastExpr(hasImplicitDestinationType(booleanType()), hasSourceExpression(p))'; do
        queries+=(-c "match $matcher")
    done
    found=$(compiled < <(c_files '*.c' | grep '^src/') |
        xargs -n 40 -P "$(nproc)" clang-query -p "$build_dir" -c 'set bind-root false' \
            -c 'set traversal IgnoreUnlessSpelledInSource' \
            -c "let p $pointer.bind(\"pointer\")" "${queries[@]}" 2>/dev/null |
        sed -n 's/^\(.*\): note: "pointer" binds here$/\1: compare the pointer with NULL/p' | sort -u) || return
    [ -z "$found" ] || {
        echo "$found"
        return 1
    }
}

changed() {
    # The folder may be another user's, as in a container.
    git -c safe.directory='*' diff --name-only --diff-filter=d HEAD -- 'src/*.c' 'tests/*.c' \
        2>/dev/null | head -n 30 || true
}

# Only what the build compiles: the variants that CMake did not pick have no command.
compiled() {
    local commands=$build_dir/compile_commands.json
    [ -s "$commands" ] || {
        echo "$commands is missing" >&2
        return 1
    }
    grep -Fx -f <(sed -n 's/.*"file": "\(.*\)".*/\1/p' "$commands") <(sed "s|^|$PWD/|") ||
        [ $? -eq 1 ] # none of them
}

run_tidy() {
    compiled | xargs -r -n 1 -P "$(nproc)" clang-tidy --quiet -p "$build_dir" 2>/dev/null
}

lint_tidy() {
    changed | run_tidy
}

lint_tidy_all() {
    c_files '*.c' | run_tidy
}

if [ "${1:-}" = --list ]; then
    for linter in format cppcheck lua js logs pointers tidy tidy-all; do
        ! decides "$linter" || echo "$linter"
    done
    exit
fi

[ $# -gt 0 ] || set -- format cppcheck lua js logs pointers tidy
result=0
for linter in "$@"; do
    case "$linter" in
    format | cppcheck | lua | js | logs | pointers | tidy | tidy-all) ;;
    *)
        echo "unknown linter: $linter" >&2
        exit 2
        ;;
    esac
    if ! decides "$linter"; then
        echo "$linter: not asked, for it is missing or of another version than Debian 12's"
    elif ! "lint_${linter//-/_}"; then
        echo "$linter: findings"
        result=1
    fi
done
exit $result
