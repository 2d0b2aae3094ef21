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
    local root=$1 objects=$2/src/CMakeFiles/wslock_$3.dir/$3 folder=$1/src/$3 failed=0 file part before=' '
    for file in "$folder"/*.[ch]; do
        part=$(basename "${file%.[ch]}")
        [[ " ${4//$'\n'/ } " == *" $part "* ]] || {
            echo "$file: is no part of \`$3\`"
            failed=1
        }
    done
    for part in $4; do
        before+="$part.h "
        while IFS=: read -r file line; do
            [[ $before == *" $line "* ]] || {
                echo "$file: includes \`$line\`, which stands behind it"
                failed=1
            }
        done < <(grep -Hs '^#include "[a-z0-9_]*\.h"' "$folder/$part".[ch] | sed 's/#include "\(.*\)"/\1/')
    done
    # What each object defines, in order; a use before the definition is a call of a part behind.
    for part in $4; do
        [ ! -f "$folder/$part.c" ] || nm "$objects/$part.c.o" | sed "s/^/$part /"
    done | awk -v folder="$3" '
        NF == 3 && $2 == "U" { use[$1 " " $3]; next }
        NF == 4 && $3 ~ /[TDBR]/ { home[$4] = $1; place[$1] = NR }
        { place[$1] = NR }
        END {
            for (u in use) {
                split(u, of, " ")
                if (of[2] in home && place[home[of[2]]] > place[of[1]]) {
                    print folder "/" of[1] ".c: uses `" of[2] "` of " home[of[2]] ".c, which stands behind it"
                    failed = 1
                }
            }
            exit failed
        }' || failed=1
    return $failed
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
