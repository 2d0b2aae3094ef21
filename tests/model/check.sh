#!/bin/bash
# Checks the models of the lock (lock.pml) and of a recovery (recovery.pml) with Spin: every variant in full, then rules broken on purpose, which must be
# found. Prints of each the checker's states and errors and the properties; exit 1 at any surprise.
#
#   tests/model/check.sh             everything
#   tests/model/check.sh -t DIR      and leave what was made in DIR, with the trails of what was found
#
# docs/model.md explains what is modelled. Needs spin and a C compiler (CC, default cc).
set -euo pipefail
cd "$(dirname "$0")"

compiler=${CC:-cc}
folder=
if [ "${1:-}" = -t ] && [ -n "${2:-}" ]; then
    mkdir -p "$2"
    folder=$(cd "$2" && pwd)
elif [ $# -gt 0 ]; then
    echo "usage: $0 [-t DIR]" >&2
    exit 2
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi

model=lock.pml
depth=1500000 # more than any search here needs; pan says so where it is not enough
failed=0

surprise() { # what, pan's output
    echo "SURPRISE: $1"
    cat "$2"
    failed=1
}

# A folder with pan, the checker of one variant.
build() { # name, gcc's options, spin's options
    local where=$folder/$1
    mkdir -p "$where"
    cp "$model" "$where"
    (
        cd "$where"
        # shellcheck disable=SC2086 # options are several words
        spin -a $3 "$model" >spin.out 2>&1 && $compiler $2 -w -DMEMLIM=1400 -o pan pan.c >cc.out 2>&1
    ) || {
        cat "$where"/*.out
        echo "cannot build the variant $1"
        exit 1
    }
}

run() { # name, output's name, pan's options
    local where=$folder/$1 out=$folder/$1/$2.out
    shift 2
    (cd "$where" && ./pan -n -w20 "-m$depth" "$@" >"$out" 2>&1) || true
    grep -E 'State-vector .* errors:|states, stored|transitions \(|total actual memory|elapsed time|^pan:1:' "$out" |
        sed 's/^ */    /'
}

# Whether a search saw everything.
complete() { # output
    ! grep -qiE 'not completed|too small|out of memory|reached|truncated|aborted|error:' <(grep -v 'depth reached' "$1") &&
        grep -q 'elapsed time' "$1"
}

holds() { # name, output's name, what; pan's options
    local name=$1 what=$2 title=$3 out=$folder/$1/$2.out
    shift 3
    echo "== $title"
    run "$name" "$what" "$@"
    if ! grep -qE 'errors: 0$' "$out" || ! complete "$out"; then
        surprise "$title: an error, or not everything was searched" "$out"
        return 1
    fi
}

rejected() { # name, gcc's options, spin's options, what pan must say (an expression), title; pan's options
    local name=$1 expected=$4 title=$5 out=$folder/$1/pan.out
    build "$name" "$2" "$3"
    shift 5
    echo "== broken on purpose: $title"
    run "$name" pan "$@"
    if grep -qE "^pan:1: .*($expected)" "$out"; then
        echo "  found: $(grep -m 1 '^pan:1:' "$out")"
    else
        surprise "$title: not found" "$out"
    fi
}

safe='-O2 -DSAFETY'
live='-O1 -DNFAIR=3'
quick='-O0 -DSAFETY'
fair='-O0 -DNFAIR=3'

build protocol "$safe" ''
if holds protocol pan 'the protocol: lock, queue, requests, takeover, lost connections'; then
    cat <<'END'
  holds: a lock that is not free has an owner, a free one has none, and nobody who is there waits for it
  holds: a holder is in the room
  holds: only the owner has the lock's token; each new token is above all others
  holds: nobody gets a turn but the first in the queue who is there; nobody is overtaken by a claim
  holds: a beneficiary has a place; nobody has two, nor one for what it has
  holds: a takeover waits only for a lock that somebody else holds, and while the administrator is there
END
fi

build application "$safe" -DAPP
if holds application pan 'with the application: saves that may be late'; then
    cat <<'END'
  holds: no save is accepted when another has registered the same or a newer token
  holds: no save is accepted whose author has not read what others saved before
  holds: each new token is above all that anybody has, has sent or the application has seen
END
fi

build pages "$safe" '-DAPP -DPAGES'
if holds pages pan 'the same with two live pages of one tab, which was duplicated'; then
    cat <<'END'
  holds: of two pages of a tab only the one that has the lock has its token
  holds: no save of either is accepted when the other has registered its token since
END
fi

build waiting "$live" -DLIVENESS
for formula in one_of_two_tabs_waits_not_for_ever other_user_waits_not_for_ever; do
    ! holds waiting $formula "every holder ends sooner or later: $formula" -a -f -N $formula ||
        echo "  holds: who stays connected does not wait for ever ($formula)"
done

build ending "$live" '-DLIVENESS -DHOLDS_ON'
for formula in reservation_ends takeover_ends; do
    ! holds ending $formula "even if a holder never ends by itself: $formula" -a -f -N $formula ||
        echo "  holds: $formula"
done

depth=100000 # what is broken is found sooner
stale='late_behind|behind\[|app\[j\]>0'
rejected no-fencing "$quick" '-DAPP -DNO_FENCING' "$stale" 'the application does not look at the token'
rejected loads-first "$quick" '-DAPP -DBREAK_LOADS_FIRST' "$stale" 'a new holder loads before it registers its token'
rejected trusts-resumed "$quick" '-DAPP -DBREAK_TRUSTS_RESUMED' "$stale" \
    'a tab keeps its text though it resumed without naming its token'
rejected pages-alike "$quick" '-DAPP -DPAGES -DBREAK_PAGES_ALIKE' "$stale" \
    'a lock keeps its token on whatever page of its tab'
rejected token-growth "$quick" -DBREAK_TOKEN_GROWTH 'token>tok' 'a grant does not raise the token'
rejected absent-turn "$quick" -DBREAK_ABSENT_TURN 'conn\[owner\]' 'a turn is given to who is absent'
rejected keeps-place "$quick" -DBREAK_KEEPS_PLACE 'place\[' 'who gets the lock keeps its place'
rejected claim-order "$quick" -DBREAK_CLAIM_ORDER 'head==' 'anybody may claim from who has gone'
rejected admin-gone "$quick" -DBREAK_ADMIN_GONE 'pending' 'a takeover is not cancelled when its administrator goes'
rejected pending-in-grace "$quick" -DBREAK_PENDING_IN_GRACE 'pending' 'a takeover waits for who has gone already'
rejected queue-order "$fair" '-DLIVENESS -DBREAK_QUEUE_ORDER' 'acceptance cycle' \
    'the last to come is the first to be served' -a -f -N other_user_waits_not_for_ever
rejected no-claim-by "$fair" '-DLIVENESS -DHOLDS_ON -DBREAK_NO_CLAIM_BY' 'acceptance cycle' \
    'a reservation has no end' -a -f -N reservation_ends
rejected no-force "$fair" '-DLIVENESS -DHOLDS_ON -DBREAK_NO_FORCE' 'acceptance cycle' \
    'a takeover is never forced' -a -f -N takeover_ends
rejected never-calm "$fair" '-DLIVENESS -DBREAK_NEVER_CALM' 'acceptance cycle' \
    'administrators and approvals come first for ever' -a -f -N other_user_waits_not_for_ever

model=recovery.pml
build recovery "$safe" ''
if holds recovery pan 'a store that is rolled back, and reports'; then
    cat <<'END'
  holds: who has the latest grant that anybody knows of has the lock, whoever reports first
  holds: after the window no lock is below a token that an instance has seen or the application has registered
  holds: a lock that its owner has given up does not come back; nobody else believes in a lock
  holds: no save is accepted whose author has not read what others saved before
END
fi
rejected old-token "$quick" -DBREAK_OLD_TOKEN 'token>=' 'a lock goes on under a token below one that somebody has seen'
rejected lifts-at-once "$quick" -DBREAK_LIFTS_AT_ONCE 'tok\[_pid\]' 'a lock gets a new token before all have reported'
rejected keeps-disowned "$quick" -DBREAK_KEEPS_DISOWNED 'gave_up|token>=' 'a lock that its owner does not report stays'

[ $failed -eq 0 ] && echo "== all as expected" || echo "== SURPRISES, see above"
exit $failed
