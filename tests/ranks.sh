#!/bin/bash
# Who may include what (docs/architecture.md): a file in src/X or include/wslock/X includes only headers
# of folders whose rank is not above its own, and each library stays in its folder.
#
#   tests/ranks.sh [root]         prints each offence, exit 1 if there is one
#   tests/ranks.sh --self-test    checks that offences are found
set -euo pipefail

check() {
    (cd "$1" && find src include/wslock -name '*.[ch]' -print0 | sort -z | xargs -0 -r awk '
        BEGIN {
            rank["base"] = 0
            rank["config"] = rank["metrics"] = rank["audit"] = rank["fetch"] = 1
            rank["wire"] = rank["auth"] = rank["ctl"] = 2
            rank["redis"] = 3
            rank["lock"] = 4
            rank["room"] = 5
            rank["session"] = 6
            rank["net"] = 7
            rank["app"] = 8
            library["libwebsockets.h"] = "net"
            library["hiredis"] = "redis"
            library["curl"] = "fetch or ctl"
            library["jwt.h"] = "tests"
            library["yaml.h"] = "config"
            library["zlib.h"] = "audit"
        }
        function offence(text) {
            print FILENAME ":" FNR ": " text
            failed = 1
        }
        FNR == 1 {
            parts = split(FILENAME, path, "/")
            folder = path[1] == "src" ? path[2] : path[3]
            if (!(folder in rank)) {
                offence("folder `" folder "` has no rank")
            }
        }
        /^[ \t]*#[ \t]*include/ {
            target = $0
            sub(/^[^<"]*[<"]/, "", target)
            sub(/[>"].*/, "", target)
            split(target, part, "/")
            ups = 0
            while (part[ups + 1] == "..") {
                ups++
            }
            if (ups > 0 && ups > parts - 3) {
                offence("`" target "` leaves the folder by a path")
            }
            if (part[1] == "wslock") {
                if (part[2] == "ctl" || part[2] == "app") {
                    if (part[2] != folder) {
                        offence("`" target "` belongs to a program")
                    }
                } else if (!(part[2] in rank)) {
                    offence("`" target "` is in a folder without rank")
                } else if (folder in rank && rank[part[2]] > rank[folder]) {
                    offence("`" folder "` (rank " rank[folder] ") includes `" target "` (rank " rank[part[2]] ")")
                }
            }
            if (part[1] in library && index(" " library[part[1]] " ", " " folder " ") == 0) {
                offence("`" target "` is for " library[part[1]] " alone")
            }
        }
        END { exit failed }
    ')
}

# self_test_case expected-offence file include-line
self_test_case() {
    local root found
    root=$(mktemp -d)
    mkdir -p "$root/src/app" "$root/include/wslock/base" "$root/$(dirname "$2")"
    echo '#include "wslock/base/str.h"' >"$root/src/app/main.c"
    echo '#include <stdint.h>' >"$root/include/wslock/base/str.h"
    echo "$3" >>"$root/$2"
    found=$(check "$root") || true
    rm -r "$root"
    if [ -z "$1" ] && [ -n "$found" ]; then
        echo "wrongly reported for $2: $found"
        return 1
    fi
    case "$found" in
    *"$1"*) ;;
    *)
        echo "not reported: $3 in $2 (expected: $1)"
        return 1
        ;;
    esac
}

self_test() {
    self_test_case '' src/room/a.c '#include "wslock/lock/lock.h"'
    self_test_case '' src/audit/a.c '#include "wslock/config/config.h"'
    self_test_case '' src/redis/tls/a.c '#include <hiredis/async.h>'
    self_test_case '' src/redis/tls/a.c '#include "../private.h"'
    self_test_case 'includes `wslock/room/room.h`' src/lock/a.c '#include "wslock/room/room.h"'
    self_test_case 'includes `wslock/lock/lock.h`' include/wslock/wire/w.h '#  include "wslock/lock/lock.h"'
    self_test_case 'includes `wslock/redis/link.h`' src/ctl/a.c '#include "wslock/redis/link.h"'
    self_test_case 'belongs to a program' src/net/a.c '#include "wslock/ctl/a.h"'
    self_test_case 'leaves the folder' src/net/a.c '#include "../room/state.h"'
    self_test_case 'leaves the folder' src/redis/tls/a.c '#include "../../room/state.h"'
    self_test_case 'for net alone' src/session/a.c '#include <libwebsockets.h>'
    self_test_case 'for redis alone' src/lock/a.c '#include <hiredis/hiredis.h>'
    self_test_case 'for fetch or ctl alone' src/auth/a.c '#include <curl/curl.h>'
    self_test_case 'for tests alone' src/auth/a.c '#include <jwt.h>'
    self_test_case '' src/ctl/a.c '#include <curl/curl.h>'
    self_test_case 'for config alone' src/app/a.c '#include <yaml.h>'
    self_test_case 'has no rank' src/util/a.c ''
}

if [ "${1:-}" = --self-test ]; then
    self_test
else
    check "${1:-$(dirname "$0")/..}"
fi
