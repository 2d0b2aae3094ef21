#!/bin/bash
# Installs what is missing on Debian 12 or 13, as root or with sudo:
#
#   config/dev/install.sh run     to build wslockd and run it (compiler, libraries, Redis or Valkey)
#   config/dev/install.sh test    that, and what the tests and linters need
#
# Does nothing, and needs no rights, when everything is there. config/dev/run.sh and tests/run.sh call
# it. Redis is only used as a child of wslockd, so a system service that its package starts is not
# needed. The services of Prometheus, PostgreSQL, nginx and HAProxy are not started: tests start the programs.
set -euo pipefail

missing=()
as_root=()
policy=/usr/sbin/policy-rc.d

need_command() { # command package
    command -v "$1" >/dev/null || missing+=("$2")
}

need_library() { # pkg-config name, package
    pkg-config --exists "$1" 2>/dev/null || missing+=("$2")
}

need_package() {
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' || missing+=("$1")
}

# The first package of those named that this Debian has.
first_available() {
    local package
    for package in "$@"; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            echo "$package"
            return
        fi
    done
    echo "$1"
}

look_for_run() {
    need_command cc gcc
    need_package libc6-dev
    need_command cmake cmake
    need_command make make
    need_command ninja ninja-build
    need_command pkg-config pkgconf
    need_library libwebsockets libwebsockets-dev
    need_package libwebsockets-evlib-uv
    need_library libuv libuv1-dev
    need_library hiredis libhiredis-dev
    need_library libcurl libcurl4-openssl-dev
    need_library jansson libjansson-dev
    need_library openssl libssl-dev
    need_library yaml-0.1 libyaml-dev
    need_library zlib zlib1g-dev
    need_library libsystemd libsystemd-dev
    need_library libcurl libcurl4-openssl-dev
    command -v redis-server >/dev/null || command -v valkey-server >/dev/null ||
        missing+=("$(first_available redis-server valkey-server)")
}

look_for_test() {
    need_library cmocka libcmocka-dev
    need_library libjwt libjwt-dev
    need_command git git
    need_command openssl openssl
    need_command jq jq
    need_command curl curl
    need_command "${WSLOCK_TEST_REDIS:-redis-server}" "${WSLOCK_TEST_REDIS:-redis-server}"
    need_command node nodejs
    need_command npm npm
    need_command chromium chromium
    need_package fonts-dejavu-core
    need_command gcc gcc
    need_command g++ g++ # with python3 for npm packages that are compiled
    need_command python3 python3
    need_command readelf binutils
    need_command clang clang
    need_package libclang-rt-dev
    need_command valgrind valgrind
    need_command spin spin
    need_command dpkg-shlibdeps dpkg-dev
    need_command lintian lintian
    need_command man man-db
    need_command systemd-analyze systemd
    need_command promtool prometheus
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
    need_command nginx nginx
    need_command haproxy haproxy
    need_package logrotate
    need_package procps
    # Of these only Debian 12's versions are asked (tests/lint.sh).
    if grep -qs '^VERSION_ID="12"' /etc/os-release; then
        need_command clang-format clang-format
        need_command clang-tidy clang-tidy
        need_command cppcheck cppcheck
        need_command luacheck lua-check
    fi
}

look() {
    missing=()
    look_for_run
    [ "$1" != test ] || look_for_test
}

# The services of these packages do not start while the packages are installed. They ask a program that Debian does not have;
# what somebody else put there is left alone.
forbid_services() {
    [ ! -e $policy ] || return 0
    trap '"${as_root[@]}" rm -f $policy' EXIT
    printf '#!/bin/sh\ncase "$1" in prometheus* | postgresql* | nginx* | haproxy*) exit 101 ;; esac\n' | "${as_root[@]}" tee $policy >/dev/null
    "${as_root[@]}" chmod 755 $policy
}

is_missing() {
    [[ " ${missing[*]} " == *" $1 "* ]]
}

main() {
    local what=${1:-run}
    if [ "$what" != run ] && [ "$what" != test ]; then
        echo "usage: $0 [run|test]" >&2
        return 2
    fi
    look "$what"
    [ ${#missing[@]} -gt 0 ] || return 0

    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "These packages are missing; as root: apt-get install ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "== installing: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq || echo "apt-get update failed; trying with what is known" >&2
    look "$what" # now that the names of packages are known
    if is_missing prometheus || is_missing postgresql || is_missing nginx || is_missing haproxy; then
        forbid_services
    fi
    # Nobody answers questions: changed configuration files stay as they are.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "${missing[@]}"
    [ -d /run/systemd/system ] || return 0
    local service
    for service in prometheus postgresql; do # nor at the next boot
        ! is_missing $service || "${as_root[@]}" systemctl disable -q $service
    done
}

main "$@"
