#!/bin/bash
# The Debian package of a build: what is in it, and what an installation does.
#
#   tests/package.sh BUILD_DIR                  makes it; checks files, units, manual pages, completion,
#                                               logrotate, lintian
#   tests/package.sh BUILD_DIR --install ROOT   installs, starts, upgrades and purges it in the folder of a
#                                               Debian of the same release, as root (debootstrap
#                                               --variant=minbase bookworm ROOT)
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.."

build=$(realpath "${1:?usage: tests/package.sh BUILD_DIR [--install ROOT]}")
folder=$(mktemp -d)
failed=0
trap 'rm -rf "$folder"' EXIT
finding() {
    echo "$*"
    failed=1
}

same() { # what, expected, found
    [ "$2" = "$3" ] || finding "$1:"$'\n'"$(diff <(echo "$2") <(echo "$3"))"
}

make_package() {
    (cd "$build" && cpack -G DEB -B "$folder/cpack") >"$folder/log" 2>&1 || {
        cat "$folder/log"
        exit 1
    }
    package=$(echo "$folder"/cpack/*.deb)
    tree=$folder/tree
    dpkg-deb -x "$package" "$tree"
}

check_files() {
    same 'files of the package' "\
644 /etc/logrotate.d/wslockd
644 /etc/wslockd/wslockd.yaml
755 /usr/bin/wslockctl
644 /usr/lib/systemd/system/wslockd.service
644 /usr/lib/systemd/system/wslockd.socket
644 /usr/lib/systemd/system/wslockd@.service
644 /usr/lib/systemd/system/wslockd@.socket
644 /usr/lib/sysusers.d/wslockd.conf
644 /usr/lib/tmpfiles.d/wslockd.conf
755 /usr/sbin/wslockd
644 /usr/share/bash-completion/completions/wslockctl
644 /usr/share/bash-completion/completions/wslockd
644 /usr/share/doc/wslockd/audit.md
644 /usr/share/doc/wslockd/changelog.Debian.gz
644 /usr/share/doc/wslockd/changelog.gz
644 /usr/share/doc/wslockd/configuration.md
644 /usr/share/doc/wslockd/copyright
644 /usr/share/doc/wslockd/dashboard-lock.png
644 /usr/share/doc/wslockd/dashboard.png
644 /usr/share/doc/wslockd/examples/ecs.jq
644 /usr/share/doc/wslockd/examples/fhir.jq
644 /usr/share/doc/wslockd/examples/wslockd.yaml
644 /usr/share/doc/wslockd/metrics.md
644 /usr/share/doc/wslockd/operations-reference.md
644 /usr/share/doc/wslockd/operations.md
644 /usr/share/doc/wslockd/security.md
644 /usr/share/man/man1/wslockctl.1.gz
644 /usr/share/man/man5/wslockd.yaml.5.gz
644 /usr/share/man/man8/wslockd.8.gz
644 /usr/share/wslockd/alerts.yaml
644 /usr/share/wslockd/grafana-dashboard.json" \
        "$(cd "$tree" && find . -type f -not -path './usr/share/wslockd/client/*' -printf '%m /%P\n' | sort -k 2)"
    same 'the JavaScript client' '' "$(diff -r src/web/client "$tree/usr/share/wslockd/client" 2>&1)"
    same 'folders with other modes' '' "$(dpkg-deb -c "$package" | grep '^d' | grep -v '^drwxr-xr-x root/root')"
    dpkg-deb -f "$package" Depends | grep -q 'libwebsockets-evlib-uv, .*libc6' ||
        finding 'the package does not depend on the event loop of libwebsockets and the C library'
}

# The configuration of the package serves after one edit.
check_configuration() {
    local file=$tree/etc/wslockd/wslockd.yaml code=0
    "$build/wslockd" --print-config --config "$file" >"$folder/log" 2>&1 || code=$?
    [ $code = 1 ] && grep -q 'yaml:[0-9]*: auth: no keys' "$folder/log" || finding "before the edit: $(cat "$folder/log")"
    sed 's|^  keys: \[\]|  keys: [{kid: k1, alg: RS256, publicKeyFile: /etc/wslockd/idp.pem}]|' "$file" >"$folder/edited.yaml"
    "$build/wslockd" --print-config --config "$folder/edited.yaml" >"$folder/log" 2>&1 ||
        finding "after the edit: $(cat "$folder/log")"
}

check_lint() {
    lintian --allow-root --fail-on error "$package" || finding 'lintian: errors'
}

check_units() {
    local unit units=$folder/units
    mkdir "$units"
    # The programs are not installed where the units expect them.
    for unit in wslockd.service wslockd.socket wslockd@1.service wslockd@1.socket; do
        sed "s|/usr/sbin/wslockd|$tree&|" "$tree/usr/lib/systemd/system/${unit/@1/@}" >"$units/$unit"
    done
    systemd-analyze verify --man=no "$units"/*.socket "$units"/*.service >"$folder/log" 2>&1 ||
        finding 'systemd-analyze verify fails'
    ! grep -F "$units" "$folder/log" || finding 'systemd-analyze verify has findings'
    for unit in "$units"/*.service; do
        systemd-analyze security --offline=yes --threshold=15 "$unit" >"$folder/log" 2>&1 ||
            finding "$unit: $(tail -n 1 "$folder/log")"
    done
}

check_reload_type() { # version of systemd
    local unit=$tree/usr/lib/systemd/system/wslockd.service
    if [ "$1" -ge 253 ]; then
        grep -q '^Type=notify-reload$' "$unit" && ! grep -q ^ExecReload= "$unit"
    else
        grep -q '^Type=notify$' "$unit" && grep -q '^ExecReload=/bin/kill -HUP \$MAINPID$' "$unit"
    fi || finding "systemd $1: not the right kind of notification"
}

options_of_help() { # program
    "$build/$1" --help | grep -oE -- '--[a-z][a-z-]*' | sort -u
}

commands_of_help() {
    "$build/wslockctl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' | sort
}

check_pages() {
    local page text
    for page in wslockctl.1 wslockd.8 wslockd.yaml.5; do
        text=$(man --warnings -E UTF-8 -l -Tutf8 -Z "docs/man/$page" 2>&1 >/dev/null)
        [ -z "$text" ] || finding "$page: $text"
        [ "${page%.*}" != wslockd.yaml ] || continue
        same "options of $page and of --help" "$(options_of_help "${page%.*}")" \
            "$(sed 's/\\-/-/g' "docs/man/$page" | grep -oE -- '--[a-z][a-z-]*' | sort -u)"
    done
    same 'commands of wslockctl.1 and of --help' "$(commands_of_help)" \
        "$(sed -n '/^\.SH COMMANDS/,/^\.SH OPTIONS/{/^\.TP/{n;s/^\.B[IR]* "\?\([a-z-]*\).*/\1/p}}' docs/man/wslockctl.1 | sort -u)"
}

completions() { # words of a command line
    bash --norc -c '. "$1"
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _wslock "$1"
        printf "%s\n" "${COMPREPLY[@]}"' bash \
        "$tree/usr/share/bash-completion/completions/wslockctl" "$build/$1" "${@:2}" | sort
}

check_completion() {
    local options of_token
    options=$("$build/wslockctl" --help | sed -n '/^Options:/,/^$/p' | grep -oE -- '^ +--[a-z-]+(, --[a-z-]+)*' |
        grep -oE -- '--[a-z-]+' | sort -u)
    of_token=$("$build/wslockctl" --help | grep '^token ' | grep -oE -- '--[a-z]+')
    same 'commands that are completed' "$(commands_of_help)" "$(completions wslockctl '')"
    same 'one command' status "$(completions wslockctl --socket x sta)"
    same 'options of wslockctl' "$options" "$(completions wslockctl --)"
    same 'options behind a command' "$(printf '%s\n' "$options" "$of_token" | sort)" "$(completions wslockctl token --)"
    same 'commands behind help' "$(commands_of_help)" "$(completions wslockctl help '')"
    same 'commands of audit' "$(printf '%s\n' merge tail verify)" "$(completions wslockctl audit '')"
    same 'files behind a command' config/wslockd.yaml "$(completions wslockctl audit verify config/wslockd)"
    same 'a log' config/wslockd.yaml "$(completions wslockctl ref x --log config/wslockd)"
    same 'nothing behind a resource' '' "$(completions wslockctl show '')"
    same 'a value of its own' '' "$(completions wslockctl token --ttl '')"
    same 'files' config/wslockd.yaml "$(completions wslockctl --config config/wslockd)"
    same 'options of wslockd' "$(options_of_help wslockd)" "$(completions wslockd --)"
    same 'levels' "$(printf '%s\n' debug error info warn)" "$(completions wslockd --log-level '')"
    "$build/wslockd" --help | grep -qE -- '--log-level LEVEL +error, warn, info or debug' || finding 'other levels in --help'
    grep -q '^complete .* wslockctl wslockd$' config/completion/wslockctl || finding 'not for both programs'
}

# logrotate renames the file and tells the daemon, which makes the new file.
check_logrotate() {
    local log=$folder/log.d conf=$folder/logrotate
    mkdir -p "$log" "$folder/bin"
    echo '{}' >"$log/audit.jsonl"
    sed "s|/var/log/wslockd|$log|; s|su wslockd wslockd|su $(id -un) $(id -gn)|" "$tree/etc/logrotate.d/wslockd" >"$conf"
    printf '#!/bin/sh\necho "$@" >>%s\n' "$folder/told" >"$folder/bin/systemctl"
    chmod 755 "$folder/bin/systemctl" && chmod 750 "$log" && chmod 644 "$conf"
    local logrotate
    logrotate=$(PATH=$PATH:/usr/sbin command -v logrotate)
    "$logrotate" -d -s "$folder/state" "$conf" >"$folder/log" 2>&1 && ! grep -i '^error' "$folder/log" ||
        finding "logrotate -d: $(cat "$folder/log")"
    PATH=$folder/bin:$PATH "$logrotate" -f -s "$folder/state" "$conf" || finding 'logrotate fails'
    same 'files after a rotation' "audit.jsonl-$(date +%Y%m%d)" "$(ls "$log")"
    same 'what logrotate calls' 'try-reload-or-restart wslockd.service wslockd@*.service' "$(cat "$folder/told")"
}

make_package
if [ "${2:-}" = --install ]; then
    tests/package_install.sh "$package" "${3:?a folder}" "$build" || failed=1
else
    check_files
    check_configuration
    check_lint
    check_units
    check_reload_type "$(pkg-config --modversion libsystemd | grep -oE '^[0-9]+')"
    check_pages
    check_completion
    check_logrotate
fi
exit $failed
