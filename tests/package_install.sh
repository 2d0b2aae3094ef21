#!/bin/bash
# Installs, starts, upgrades and purges the package in the folder of a Debian (tests/package.sh --install).
# systemd does not run there: what the unit starts is started by hand, as its user and without
# capabilities, in a network namespace of its own.
set -euo pipefail
export LC_ALL=C.UTF-8

package=$(realpath "$1") root=$(realpath "$2") build=$(realpath "$3")
page=$(realpath "$(dirname "$0")/../docs/operations.md")
folder=$(mktemp -d)
failed=0
mounted=no
finding() {
    echo "FINDING: $*"
    failed=1
}

inside() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

prepare() {
    mountpoint -q "$root/proc" || {
        mount -t proc proc "$root/proc"
        mounted=yes
    }
    # No package starts a service.
    [ -e "$root/usr/sbin/policy-rc.d" ] || install -m 755 <(printf '#!/bin/sh\nexit 101\n') "$root/usr/sbin/policy-rc.d"
    inside apt-get update -qq
    inside apt-get purge -y -qq wslockd >/dev/null 2>&1 || true
    inside apt-get install -y -qq --no-install-recommends redis-server systemd openssl >/dev/null 2>&1
}

clean_up() {
    rm -rf "$folder" "$root"/tmp/wslockd*.deb "$root"/tmp/redis
    [ $mounted = no ] || umount "$root/proc"
}
trap clean_up EXIT

install_package() { # file
    cp "$1" "$root/tmp/wslockd.deb"
    inside apt-get install -y --no-install-recommends /tmp/wslockd.deb </dev/null >"$folder/log" 2>&1 || {
        cat "$folder/log"
        finding 'the package is not installed'
        exit 1
    }
}

expect_log() { # text
    grep -qF -- "$1" "$folder/log" || finding "not said: $1"$'\n'"$(tail -n 20 "$folder/log")"
}

expect_owner() { # owner:group mode path
    local found
    found=$(inside stat -c '%U:%G %a' "$3" 2>&1) || true
    [ "$found" = "$1 $2" ] || finding "$3: $found instead of $1 $2"
}

check_owners() {
    expect_owner wslockd:wslockd 750 /run/wslockd
    expect_owner wslockd:wslockd 750 /var/lib/wslockd
    expect_owner wslockd:wslockd 750 /var/log/wslockd
    expect_owner root:wslockd 750 /etc/wslockd
    expect_owner root:wslockd 640 /etc/wslockd/wslockd.yaml
}

check_installed() {
    [ "$(inside dpkg-query -W -f '${Status}' wslockd)" = 'install ok installed' ] || finding 'the state of the package'
    check_owners
}

is_enabled() {
    [ -L "$root/etc/systemd/system/multi-user.target.wants/wslockd.service" ]
}

# What ExecStart= says, as the unit runs it.
unit_command() {
    local command
    command=$(sed -n 's/^ExecStart=//p' "$root/usr/lib/systemd/system/wslockd.service")
    echo "umask 0027 && exec setpriv --reuid=wslockd --regid=wslockd --init-groups --no-new-privs" \
        "--bounding-set=-all --inh-caps=-all env STATE_DIRECTORY=/var/lib/wslockd" \
        "LOGS_DIRECTORY=/var/log/wslockd RUNTIME_DIRECTORY=/run/wslockd $command"
}

# Runs the unit's command to its end without a store: its exit code.
exit_code_without_store() {
    local code=0
    unshare -n bash -c 'ip link set lo up && exec "$@"' bash chroot "$root" sh -c "$(unit_command)" \
        >"$folder/log" 2>&1 || code=$?
    echo "$code"
}

# The daemon with a store: it gets ready, wslockctl reaches it, it reloads, it stops with 0.
serve() {
    unshare -n bash -s "$root" "$folder/log" "$(unit_command)" <<'END' || finding "the daemon does not serve: $(tail -n 20 "$folder/log")"
set -eu
root=$1 log=$2
wait_for() { # text
    for _ in $(seq 300); do
        ! grep -q -- "$1" "$log" || return 0
        sleep 0.1
    done
    echo "no line $1"
    return 1
}
: >"$log"
ip link set lo up
mkdir -p "$root/tmp/redis"
chroot "$root" redis-server --dir /tmp/redis --save '' --logfile /dev/null &
redis=$!
chroot "$root" sh -c "$3" 2>>"$log" >>"$log" &
daemon=$!
trap 'kill $daemon $redis 2>/dev/null || true' EXIT
wait_for ' ready '
chroot "$root" wslockctl --socket /run/wslockd/ops.sock status
kill -HUP $daemon
wait_for ' reloaded'
kill -TERM $daemon
wait $daemon
END
}

# The nth block under a heading of docs/operations.md.
block() { # heading n
    awk -v heading="$1" -v n="$2" '/^#+ / { on = $0 ~ "^#+ " heading "$" }
        on && /^```/ { inside = !inside; count += inside; next }
        on && inside && count == n' "$page"
}

expect_readable() { # path
    inside runuser -u wslockd -- test -r "$1" || finding "the daemon cannot read $1"
}

# The commands of the page that set owners and modes.
page_files() {
    local live=/etc/letsencrypt/live/locks.example.org hook=/etc/letsencrypt/renewal-hooks/deploy/wslockd
    block 'First start' 1 | inside bash -e || finding 'the secret of the page'
    expect_owner root:wslockd 640 /etc/wslockd/trial.secret
    block Certificate 1 | inside bash -e || finding 'the folder for certificates'
    mkdir -p "$root$live" "$root${hook%/*}"
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=locks.example.org -keyout "$root$live/privkey.pem" \
        -out "$root$live/fullchain.pem" 2>/dev/null
    block Certificate 3 >"$root$hook"
    block Certificate 4 | inside bash -e || finding 'the deploy hook'
    expect_owner root:wslockd 640 /etc/wslockd/tls/privkey.pem
    expect_readable /etc/wslockd/tls/privkey.pem
    expect_readable /etc/wslockd/trial.secret
    rm -r "$root/etc/wslockd/tls" "$root/etc/wslockd/trial.secret" "$root/etc/letsencrypt"
}

# Without the package: what `cmake --install` installs, and the commands of the page behind it.
from_source() {
    DESTDIR=$root cmake --install "$build" --prefix /usr/local >"$folder/log" || finding 'cmake --install'
    block 'From source' 1 | grep -v '^cmake\|^systemctl' | inside bash -e || finding 'the commands after cmake --install'
    check_owners
    sed "s|^|$root|" "$build/install_manifest.txt" | xargs rm -f
    rm -r "$root"/{etc,run,var/lib,var/log,usr/local/share,usr/local/share/doc}/wslockd
}

# The same package under a higher version.
next_version() {
    dpkg-deb -R "$package" "$folder/next"
    sed -i 's/^Version: .*/&+1/' "$folder/next/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$folder/next" "$folder/next.deb" >/dev/null
}

first_install() {
    install_package "$package"
    expect_log 'wslockd is not started, because its configuration is not complete'
    expect_log '/etc/wslockd/wslockd.yaml:'
    check_installed
    ! is_enabled || finding 'a service that cannot start is enabled'
    [ "$(exit_code_without_store)" = 1 ] || finding 'a start without keys'
    expect_log 'auth: no keys'
}

# The one edit.
configure() {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=x 2>/dev/null |
        openssl x509 -pubkey -noout >"$root/etc/wslockd/idp.pem"
    sed -i 's|^  keys: \[\]|  keys: [{kid: k1, alg: RS256, publicKeyFile: /etc/wslockd/idp.pem}]|' "$root/etc/wslockd/wslockd.yaml"
    inside runuser -u wslockd -- wslockd --check-config >"$folder/log" 2>&1 || true
    expect_log 'configuration ok'
    [ "$(exit_code_without_store)" = 3 ] || finding 'a start without a store'
    expect_log 'store_unreachable'
    serve
}

upgrade() {
    local before
    before=$(sha256sum "$root/etc/wslockd/wslockd.yaml")
    next_version
    install_package "$folder/next.deb"
    check_installed
    [ "$before" = "$(sha256sum "$root/etc/wslockd/wslockd.yaml")" ] || finding 'an upgrade changes the configuration'
    serve
    grep -q AUDIT_STARTED "$root/var/log/wslockd/audit.jsonl" || finding 'no audit log'
}

# If a complete configuration exists before the package, the service is enabled.
reinstall() {
    local kept
    kept=$(cat "$root/etc/wslockd/wslockd.yaml")
    inside apt-get purge -y -qq wslockd >/dev/null 2>&1
    [ -e "$root/etc/wslockd/idp.pem" ] || finding 'a purge removes keys of the administrator'
    echo "$kept" >"$root/etc/wslockd/wslockd.yaml"
    cp "$package" "$root/tmp/wslockd.deb"
    inside apt-get install -y -qq -o Dpkg::Options::=--force-confold --no-install-recommends /tmp/wslockd.deb </dev/null >"$folder/log" 2>&1
    is_enabled || finding "a service that can start is not enabled: $(cat "$folder/log")"
}

purge() {
    inside apt-get remove -y -qq wslockd >/dev/null 2>&1
    [ -e "$root/etc/wslockd/wslockd.yaml" ] || finding 'a removal takes the configuration along'
    [ ! -e "$root/usr/sbin/wslockd" ] || finding 'a removal leaves the program'
    rm "$root/etc/wslockd/idp.pem"
    inside apt-get purge -y -qq wslockd >"$folder/log" 2>&1 || finding "purge: $(cat "$folder/log")"
    local left
    left=$(cd "$root" && find etc run usr var -xdev -name '*wslockd*' | grep -v '^var/cache\|^var/lib/apt' || true)
    [ -z "$left" ] || finding "a purge leaves: $left"
}

prepare
for step in first_install page_files configure upgrade reinstall purge from_source; do
    echo "== $step"
    $step
done
exit $failed
