#!/bin/bash
# The parts of a folder, lowest first (docs/architecture.md): a file includes only headers of parts that
# stand before its own, and calls nothing of those behind it.
#
#   tests/parts.sh <build dir>    prints each offence, exit 1 if there is one
#   tests/parts.sh --self-test    checks that offences are found
set -euo pipefail

declare -A parts=(
    [room]="state holder departed members waiters backlog apply notified deliver tell_waiters tell presence
        notices store_lost take count rooms resync"
    [session]="state registry key_wait membership queue audit_record audit audit_events handshake disconnect end send
        call errors answers subscription delayed_replies token_life liveness open reconcile operate verify inspect listing
        open_request handlers handle_acquire handle_auth handle_cancel handle_heartbeat handle_join
        handle_leave handle_ping handle_queue_leave handle_refresh handle_release handle_reply
        handle_request handle_status handle_takeover dispatch reactions gateway"
    [net]="address admit frames http_head handshake tls web_files state descriptors conn output idle http
        http_call websocket upgrade native engine polling engineio page ops ops_query ops_locks ops_sessions ops_verify ops_operate ops_audit ops_drain ops_reload routes requests callbacks
        passed_sockets listener net"
    [base]="mem spare buf clock file frame jsonr str jsonw log rand map rate wheel"
    [config]="format problem table tree unit suggest tree_parse expand describe value value_print bind
        derived file redis_url rule rules_auth rules_net rules_policy rules_redis rules load dev print explain
        reference state_dir types warnings reload"
    [audit]="chain record sink writer reports admin known sync_wait tail rotation audit lines reader
        sequence verify"
    [fetch]="lookup fetch"
    [auth]="b64 name claim_path claims alg roca checked key jwk compact keystore keyfiles jwks auth jws sign ticket"
    [redis]="hiredis_api address lookup reply_memory adapter sentinel_reply sentinel_conn sentinel link_private link_state call connect link embedded_child embedded reply
        version cluster_reply cluster"
    [lock]="crc16 types msgpack event args script_reply scripts state store_time replicas script audit_recovery endings
        instances shard sweep calls list report reconcile availability feed watch node slot_move placement
        store"
)

# check root build-dir folder "part…"
check() {
    local objects=$2/src/CMakeFiles/wslock_$3.dir/$3 folder=$1/src/$3
    {
        printf '%s\n' "$folder"/*.[ch]
        grep -H '^#include "[a-z0-9_]*\.h"' "$folder"/*.[ch] || true
        nm -A "$objects"/*.c.o
    } | awk -v folder="$folder" -v parts="$4" '
        BEGIN {
            count = split(parts, part)
            for (i = 1; i <= count; i++) {
                place[part[i]] = i
            }
        }
        function offence(what) {
            print what
            failed = 1
        }
        { # <path>/<part>.<c, h or c.o>[:<what>]
            file = $0
            sub(/\.(h|c|c\.o)(:.*)?$/, "", file)
            sub(/^.*\//, "", file)
            where = $1
            sub(/:.*/, "", where)
        }
        /^[^:]*$/ && !(file in place) { offence($1 ": is no part of `" substr(folder, match(folder, "[^/]*$")) "`") }
        /:#include/ && file in place {
            included = $2
            gsub(/"|\.h"/, "", included)
            if (!(included in place) || place[included] > place[file]) {
                offence(where ": includes `" included ".h`, which stands behind it")
            }
        }
        file in place && $(NF - 1) == "U" { use[file " " $NF] }
        file in place && $(NF - 1) ~ /^[TDBR]$/ { home[$NF] = file }
        END { # what each object uses of those behind it
            for (u in use) {
                split(u, of, " ")
                if (of[2] in home && place[home[of[2]]] > place[of[1]]) {
                    offence(folder "/" of[1] ".c: uses `" of[2] "` of " home[of[2]] ".c, which stands behind it")
                }
            }
            exit failed
        }'
}

# self_test_case expected-offence a.c b.c: `a` stands before `b`
self_test_case() {
    local root found
    root=$(mktemp -d)
    mkdir -p "$root/src/x" "$root/build/src/CMakeFiles/wslock_x.dir/x"
    echo 'int a(void);' >"$root/src/x/a.h"
    echo 'int b(void);' >"$root/src/x/b.h"
    echo "$2" >"$root/src/x/a.c"
    echo "$3" >"$root/src/x/b.c"
    for file in a b; do
        cc -c "$root/src/x/$file.c" -o "$root/build/src/CMakeFiles/wslock_x.dir/x/$file.c.o"
    done
    found=$(check "$root" "$root/build" x "${4:-a b}") || true
    rm -r "$root"
    if [ -z "$1" ] && [ -n "$found" ]; then
        echo "wrongly reported: $found"
        return 1
    fi
    [[ $found == *"$1"* ]] || {
        echo "not reported: $1"
        return 1
    }
}

if [ "${1:-}" = --self-test ]; then
    lower='#include "a.h"
int a(void) { return 1; }' upper='#include "b.h"
#include "a.h"
int b(void) { return a(); }'
    self_test_case '' "$lower" "$upper"
    self_test_case 'includes `b.h`' '#include "b.h"
int a(void) { return 1; }' "$upper"
    self_test_case 'uses `b` of b.c' 'int b(void); int a(void) { return b(); }' 'int b(void) { return 1; }'
    self_test_case 'no part of' "$lower" "$upper" a
    exit
fi
cd "$(dirname "$0")/.."
failed=0
for folder in "${!parts[@]}"; do
    check . "$1" "$folder" "${parts[$folder]}" || failed=1
done
exit $failed
