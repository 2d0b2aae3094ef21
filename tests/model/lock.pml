/*
 * The lock of one resource, as the store decides about it, for the model checker Spin. docs/model.md says what is
 * modelled and what is not; tests/model/check.sh runs it. The rule is the table of state x event: each event below
 * names its row.
 *
 * Who takes part: the tabs A1 and A2 of one user, B of another, and X of an administrator. One event is one script
 * call, which is atomic in the store, so each is one step here. Time is not counted: whatever has a deadline may happen
 * at any moment from when it can. Where a resource type chooses (release, grace or prompt; immediate or request;
 * queue or deny), every choice is open each time, which covers a policy that changes in between.
 *
 * Variants:
 *   (none)       the protocol: everything about lock, queue, requests, takeover and lost connections
 *   -DAPP        with the application: saves that carry the fencing token, may be late, and meet a store that refuses
 *                a token below the highest seen. Nobody queues
 *   -DPAGES      with APP: A1 and A2 are not two tabs of the user but two live pages of one, which was duplicated
 *   -DLIVENESS   the protocol without crashes and tokens, for the ltl formulas
 *   -DHOLDS_ON   with LIVENESS: a holder may go on for ever, its TTL is renewed again and again
 *   -DNO_FENCING, -DBREAK_...: rules broken on purpose, which the checker must find
 */

#define A1 0
#define A2 1
#define B 2
#define X 3
#define NONE 4
#define TABS 4
#define SAME(a, b) ((a) == (b) || (a) + (b) == 1) /* the same user: A1 and A2 */
#ifdef PAGES
#define TAB(a, b) SAME(a, b)
#else
#define TAB(a, b) ((a) == (b))
#endif

/* The lock. */
#define FREE 0
#define HELD 1
#define GRACE 2
#define RESERVED 3
byte state = FREE;
byte owner = NONE;  /* who holds it, on which page, or for whom it is reserved */
byte token = 0;     /* fencing token of a lock that is held or in grace */
bool prompt = false; /* in grace: the first claim wins */
bool pending = false; /* a takeover by X waits */

/* The shard's clock, from which tokens come. Only the order of tokens matters: they are renumbered after each step. */
byte clock = 1;

/* The room, as the store knows it: out, in, or in although the connection is gone. */
#define OUT 0
#define IN 1
#define STALE 2
byte conn[TABS];

/* The queue: tabs in order, and what each waits with. A beneficiary is out of the queue and keeps its place. */
#define PLACE 1   /* queued, or its request was approved */
#define REQUEST 2 /* a request that the holder has not answered */
byte queue[TABS] = NONE;
byte waiting = 0; /* how many are in the queue */
byte place[TABS];

/* What each tab believes: the token that it was told last, 0 for none. It may be wrong, and be found out late. */
byte tok[TABS];

#ifdef APP
/* The application. Each tab: 0 nothing, 1 has registered its fence, 2 has loaded the text. */
byte app[TABS];
bool behind[TABS]; /* for the checker only: the text lacks what somebody else has saved since it was loaded */
byte seen = 0;     /* the highest token that the application's store has seen */
byte late = 0;     /* a save on its way: its token, 0 for none */
byte late_by = NONE;
bool late_behind = false;
#endif

/* In the liveness variant: from here on nobody takes over and no request is approved any more. */
bool quiet = false;

hidden byte i, j, head;

/* ---- parts of events ---- */

inline take_out(who) {
  i = 0;
  do
  :: i < waiting && queue[i] != who -> i++
  :: else -> break
  od;
  if
  :: i < waiting ->
    waiting--;
    do
    :: i < waiting -> queue[i] = queue[i + 1]; i++
    :: else -> break
    od;
    queue[waiting] = NONE
  :: else
  fi
}

inline put_first(who) {
  i = waiting;
  do
  :: i > 0 -> queue[i] = queue[i - 1]; i--
  :: else -> break
  od;
  queue[0] = who;
  waiting++
}

inline put_last(who) {
#ifdef BREAK_QUEUE_ORDER
  put_first(who)
#else
  queue[waiting] = who;
  waiting++
#endif
}

inline wait_with(who, kind) {
  if
  :: place[who] == 0 -> put_last(who)
  :: else
  fi;
  place[who] = place[who] | kind
}

inline wait_without(who, kind) {
  place[who] = place[who] & (3 - kind);
  if
  :: place[who] == 0 -> take_out(who)
  :: else
  fi
}

/* Who is first in the queue among those in the room, NONE for nobody. */
inline find_head() {
  head = NONE;
  i = 0;
  do
#ifdef BREAK_ABSENT_TURN
  :: i < waiting && head == NONE -> head = queue[i]
#else
  :: i < waiting && head == NONE && conn[queue[i]] != OUT -> head = queue[i]
  :: i < waiting && head == NONE && conn[queue[i]] == OUT -> i++
#endif
  :: else -> break
  od
}

/* The owner's tab is told its token, if its connection still is there. `goes_on`: it named the token that the lock had
   until now, so that it keeps its text; else it has to load. */
inline tell_token(who, goes_on) {
#ifdef LIVENESS
  skip
#else
  if
  :: conn[who] == IN ->
#ifdef APP
    if
    :: !(goes_on) -> app[who] = 0; behind[who] = false
    :: else
    fi;
#endif
    tok[who] = token
  :: else
  fi
#endif
}

inline new_token() {
#ifndef LIVENESS
#ifndef BREAK_TOKEN_GROWTH
  clock++;
#endif
  token = clock;
  /* Every grant has a token above all those that anybody has, knows or has sent. */
  j = 0;
  do
  :: j < TABS -> assert(token > tok[j]); j++
  :: else -> break
  od;
#ifdef APP
  assert(token > seen && token > late)
#else
  skip
#endif
#else
  skip
#endif
}

/* A grant: `who` waits no more, and what was reserved for its user is served. */
inline grant(who) {
  if
  :: state == RESERVED && SAME(owner, who) -> place[owner] = 0
  :: else
  fi;
#ifndef BREAK_KEEPS_PLACE
  take_out(who);
  place[who] = 0;
#endif
  state = HELD;
  owner = who;
  prompt = false;
  new_token();
  tell_token(who, false)
}

/* The owner's tab goes on, under its token or under a new one. */
inline go_on(who, fresh) {
  state = HELD;
  owner = who;
  prompt = false;
  if
  :: fresh -> new_token()
  :: else
  fi;
#ifdef BREAK_TRUSTS_RESUMED
  tell_token(who, true)
#else
  tell_token(who, !(fresh))
#endif
}

inline reserve(who) {
  take_out(who);
  state = RESERVED;
  owner = who;
  place[who] = PLACE;
  /* Nobody gets a turn without waiting for it and being there. */
  assert(conn[owner] != OUT)
}

/* "next": a pending takeover, then the first in the queue who is there, else free. */
inline next() {
  token = 0;
  prompt = false;
  if
  :: pending -> pending = false; grant(X)
  :: else ->
    find_head();
    if
    :: head != NONE -> reserve(head)
    :: else -> state = FREE; owner = NONE
    fi
  fi
}

/* The beneficiary is out of it. */
inline decline() {
  place[owner] = 0;
  next()
}

/* A new connection has the place of the tab's other page. */
inline comes_in(who, how) {
  conn[who] = how;
#ifdef PAGES
  if
  :: who < B -> conn[1 - who] = OUT
  :: else
  fi
#endif
}

/* A connection is there (again): of one who waits, too. */
inline arrive(who) {
  comes_in(who, IN);
  if
  :: state == FREE && place[who] != 0 -> next()
  :: else
  fi
}

inline forget(who) {
#ifndef LIVENESS
  tok[who] = 0;
#ifdef APP
  app[who] = 0;
  behind[who] = false
#else
  skip
#endif
#else
  skip
#endif
}

/* What the end of a connection does to everything but the lock. */
inline depart(who) {
  conn[who] = OUT;
#ifndef BREAK_ADMIN_GONE
  if
  :: who == X -> pending = false
  :: else
  fi
#else
  skip
#endif
}

#define OWNS(who) (TAB(owner, who) && (state == HELD || state == GRACE))
#define TAKEN (state == HELD || state == GRACE)
#ifdef APP
#define QUEUES(who) false
#else
#define QUEUES(who) true
#endif

/* ---- after each event ---- */

#ifdef LIVENESS
inline renumber() { skip }
#else
/* Tokens keep their order and lose their gaps. Those that can no longer be anything but refused are all alike. */
inline renumber() {
#ifdef APP
#define FLOOR seen
#else
#define FLOOR token
#endif
  j = 0;
  do
  :: j < TABS ->
#ifdef APP
    if
    :: tok[j] > 0 && tok[j] < FLOOR && app[j] < 2 -> tok[j] = 0; app[j] = 0 /* it may not even register */
    :: tok[j] > 0 && tok[j] < FLOOR && app[j] == 2 ->
      tok[j] = 1;
#ifndef NO_FENCING
      behind[j] = false /* what it saves is refused anyway */
#endif
    :: else
    fi;
    /* Where nobody queues it is all the same when the store hears that one who has no lock is gone. */
    if
    :: conn[j] == STALE && !(state == HELD && owner == j) && !(pending && j == X) -> conn[j] = OUT
    :: else
    fi;
#else
    if
    :: tok[j] < FLOOR || FLOOR == 0 -> tok[j] = 0
    :: else
    fi;
#endif
    j++
  :: else -> break
  od;
#ifdef APP
  if
  :: late > 0 && late < FLOOR ->
    late = 1;
#ifndef NO_FENCING
    late_behind = false
#endif
  :: else
  fi;
#endif
  i = 2;
  do
  :: i <= clock ->
    if
    :: token == i || tok[A1] == i || tok[A2] == i || tok[B] == i || tok[X] == i -> i++
#ifdef APP
    :: token != i && tok[A1] != i && tok[A2] != i && tok[B] != i && tok[X] != i && late == i -> i++
#endif
    :: else ->
      j = 0;
      do
      :: j < TABS ->
        if
        :: tok[j] > i -> tok[j]--
        :: else
        fi;
        j++
      :: else -> break
      od;
      if
      :: token > i -> token--
      :: else
      fi;
#ifdef APP
      if
      :: late > i -> late--
      :: else
      fi;
      if
      :: seen > i -> seen--
      :: else
      fi;
      if
      :: clock == i && seen == i -> i++ /* seen alone has this one */
      :: else -> clock--
      fi
#else
      clock--
#endif
    fi
  :: else -> break
  od
}
#endif

inline invariants() {
  /* A free lock has nobody, and nobody who is there waits for it. */
  find_head();
  assert(state != FREE || (owner == NONE && head == NONE));
  /* Every other lock is somebody's. */
  assert(state == FREE || owner < TABS);
  /* A holder is in the room. */
  assert(state != HELD || conn[owner] != OUT);
  /* Nobody waits for what it has. */
  assert(!TAKEN || place[owner] == 0);
  /* A beneficiary waits for its turn, and is not in the queue a second time. */
  assert(state != RESERVED || place[owner] == PLACE);
  /* A takeover waits only for a lock that somebody else holds, and only while the administrator is there. */
  assert(!pending || (state == HELD && owner != X && conn[X] != OUT));
  /* Only a lock in grace can be claimed from its owner. */
  assert(!prompt || state == GRACE);
  /* Who has a place is in the queue once, and nobody else is. */
  j = 0;
  do
  :: j < TABS ->
    head = 0;
    i = 0;
    do
    :: i < waiting -> head = head + (queue[i] == j -> 1 : 0); i++
    :: else -> break
    od;
    assert(head == (place[j] != 0 && !(state == RESERVED && owner == j) -> 1 : 0));
#if !defined(LIVENESS) && !defined(BREAK_PAGES_ALIKE)
    /* No two owners: who has the lock's token is the one who has the lock, of two pages of a tab too. */
    assert(!(TAKEN && tok[j] == token && owner != j));
#endif
    j++
  :: else -> break
  od
}

/* ---- what a tab does ---- */

inline comes_and_goes(t) {
  if
  /* "joins as viewer", from a new connection. Of the owner: plain grace, or the administrator who waits. */
  :: d_step { conn[t] != IN && !(state == HELD && TAB(owner, t)) -> arrive(t) }
  :: d_step { state == HELD && TAB(owner, t) ->
      if
      :: pending -> next()
      :: else -> state = GRACE
      fi;
      comes_in(t, IN) }
  /* "join as editor": a free lock is granted at once; the rest is joining, then acquiring. */
  :: d_step { conn[t] != IN && state == FREE -> comes_in(t, IN); grant(t) }
#ifndef LIVENESS
  :: d_step { conn[t] != IN && state == FREE -> comes_in(t, STALE); grant(t) } /* it never hears of it */
#endif
  /* The same, by the owner's tab: with the token it goes on, without it has a new one. So it has on another page,
     whatever token was copied to that. */
#ifndef LIVENESS
  :: d_step { OWNS(t) && owner == t && tok[t] == token -> comes_in(t, IN); go_on(t, false) }
#endif
#ifdef BREAK_PAGES_ALIKE
  :: d_step { OWNS(t) && owner != t && tok[owner] == token -> comes_in(t, IN); go_on(t, false) }
#endif
  :: d_step { OWNS(t) -> comes_in(t, IN); go_on(t, true) }
#ifndef LIVENESS
  :: d_step { OWNS(t) && conn[t] != IN -> comes_in(t, STALE); go_on(t, true) } /* it never hears of it */
#endif
  /* "leave, or close 1000", also "ended by an administrator" (4403). */
  :: d_step { conn[t] == IN ->
      depart(t);
      forget(t);
      if
      :: OWNS(t) -> next()
      :: state == RESERVED && owner == t -> decline()
      :: else -> take_out(t); place[t] = 0
      fi }
#ifndef LIVENESS
  /* The connection is cut, or its daemon killed: the store does not know yet. */
  :: d_step { conn[t] == IN -> conn[t] = STALE }
#define CONNECTED(t) (conn[t] == STALE)
#else
#define CONNECTED(t) (conn[t] == IN)
#endif
  /* "the owner's connection ends otherwise", told by its daemon, by the type's choice: release, grace, prompt; or
     "lease of the owner's instance ends", told by another: grace. A waiter is absent from now on. */
  :: d_step { CONNECTED(t) && !(state == HELD && owner == t) -> depart(t) }
  :: d_step { CONNECTED(t) && state == HELD && owner == t -> depart(t); next() }
  :: d_step { CONNECTED(t) && state == HELD && owner == t && !pending -> depart(t); state = GRACE }
  :: d_step { CONNECTED(t) && state == HELD && owner == t && !pending -> depart(t); state = GRACE; prompt = true }
#ifndef LIVENESS
  /* The page is closed, gives up by itself, or is told at last that it lost the lock. */
  :: d_step { tok[t] != 0 -> forget(t) }
#endif
  fi
}

inline edits(t) {
  if
  /* "acquire", "claim", by anybody. */
  :: d_step { conn[t] == IN && state == FREE -> grant(t) }
  :: d_step { conn[t] == IN && state == RESERVED && SAME(owner, t) -> grant(t) }
  /* By the owner: the same token. In grace a new one, since neither names a token. */
#ifndef LIVENESS
  :: d_step { conn[t] == IN && state == HELD && owner == t -> tell_token(t, tok[t] == token) }
#endif
  :: d_step { conn[t] == IN && state == GRACE && TAB(owner, t) -> go_on(t, true) }
  /* "takeOwn". */
  :: d_step { conn[t] == IN && TAKEN && SAME(owner, t) && !TAB(owner, t) -> grant(t) }
  /* "claim" of a lock whose holder has gone, under prompt: the first wins, with a queue its head. */
  :: d_step { conn[t] == IN && state == GRACE && prompt && !TAB(owner, t) ->
      find_head();
      if
#ifdef BREAK_CLAIM_ORDER
      :: true ->
#else
      :: waiting == 0 || head == t ->
#endif
        assert(waiting == 0 || head == t); /* nobody is overtaken */
        grant(t)
      :: else
      fi }
  /* "heartbeat": in grace it resumes, with the right token or with none, on another page as above; a wrong one is told
     so. */
#ifndef LIVENESS
  :: d_step { conn[t] == IN && state == GRACE && owner == t && tok[t] == token -> go_on(t, false) }
  :: d_step { conn[t] == IN && tok[t] != 0 && !(OWNS(t) && tok[t] == token) -> forget(t) }
#endif
  /* "release"; of a beneficiary: declines. */
  :: d_step { conn[t] == IN && OWNS(t) -> forget(t); next() }
  :: d_step { conn[t] == IN && state == RESERVED && SAME(owner, t) -> decline() }
  /* "reply APPROVE" to a takeover. DENY changes nothing. */
  :: d_step { conn[t] == IN && OWNS(t) && pending -> forget(t); next() }
  fi
}

inline queues(t) {
  if
  /* "other user" who is queued. */
  :: d_step { QUEUES(t) && conn[t] == IN && state != FREE && !SAME(owner, t) && (place[t] & PLACE) == 0 ->
      wait_with(t, PLACE) }
  /* "queue_leave"; a beneficiary's is its declining. */
  :: d_step { conn[t] == IN && (place[t] & PLACE) != 0 && !(state == RESERVED && owner == t) -> wait_without(t, PLACE) }
  /* "request", one a user. Of a free lock: it is reserved for the asker. */
  :: d_step { QUEUES(t) && conn[t] == IN && (state == FREE || !SAME(owner, t)) && (place[t] & REQUEST) == 0 &&
              !(t < B && (place[1 - t] & REQUEST) != 0) ->
      wait_with(t, REQUEST);
      if
      :: state == FREE -> next()
      :: else
      fi }
  /* Cancelled by the asker, or "reply DENY". */
  :: d_step { (place[t] & REQUEST) != 0 -> wait_without(t, REQUEST) }
  /* "reply APPROVE" by the holder, who in grace resumes by it: to the head, then next. An absent asker: nothing. */
  :: d_step { !quiet && (place[t] & REQUEST) != 0 && conn[t] != OUT && TAKEN && conn[owner] == IN ->
      place[t] = PLACE;
      take_out(t);
      put_first(t);
      forget(owner);
      next() }
  fi
}

inline takes_over() {
  if
  :: d_step { !quiet && conn[X] == IN && state == FREE -> grant(X) }
  /* At once: by type, when urgent, and always from who is not there. Own locks: as acquire. */
  :: d_step { !quiet && conn[X] == IN && TAKEN && owner != X -> pending = false; grant(X) }
  /* The beneficiary stays at the head. */
  :: d_step { !quiet && conn[X] == IN && state == RESERVED && owner != X -> put_first(owner); grant(X) }
  /* By type: the holder has time to save. */
#ifdef BREAK_PENDING_IN_GRACE
  :: d_step { !quiet && conn[X] == IN && TAKEN && owner != X && !pending -> pending = true }
#else
  :: d_step { !quiet && conn[X] == IN && state == HELD && owner != X && !pending -> pending = true }
#endif
  /* "takeover_cancel". */
  :: d_step { conn[X] == IN && pending -> pending = false }
  fi
}

/* ---- what the clock and others do ---- */

/* "TTL ends"; also the operator's release. */
inline expires() {
  d_step { state == HELD -> next() }
}

inline times_out() {
  if
#ifndef HOLDS_ON
  :: expires()
#endif
  /* "graceUntil". */
  :: d_step { state == GRACE -> next() }
  /* "claimBy". */
#ifndef BREAK_NO_CLAIM_BY
  :: d_step { state == RESERVED -> decline() }
#endif
  fi
}

inline forces() {
  if
  /* "forceAt". */
  :: d_step { pending -> next() }
  fi
}

inline ends_waiting(t) {
  if
  /* "request's time is up"; the time of a waiter who is absent. */
  :: d_step { (place[t] & REQUEST) != 0 -> wait_without(t, REQUEST) }
  :: d_step { place[t] != 0 && conn[t] == OUT && !(state == RESERVED && owner == t) -> take_out(t); place[t] = 0 }
  fi
}

/* "operator's takeover for U": whoever has it loses it, and who had it reserved is replaced. */
inline operator_gives(t) {
  if
  :: d_step { !(state == RESERVED && owner == t) ->
      if
      :: state == RESERVED -> place[owner] = 0
      :: else
      fi;
      token = 0;
      prompt = false;
      pending = false;
      take_out(t);
      place[t] = PLACE;
      state = RESERVED;
      owner = t }
  fi
}

#ifdef APP
/* A save reaches the application's store. */
inline arrives(who, with, text_behind) {
  if
#ifdef NO_FENCING
  :: true ->
#else
  :: with >= seen ->
#endif
    j = 0;
    do
    :: j < TABS ->
      /* Nobody saves any more once another has registered a newer grant. */
      assert(!(j != who && app[j] > 0 && tok[j] >= with));
      j++
    :: else -> break
    od;
    /* Nobody overwrites what it has not read. */
    assert(!(text_behind));
    seen = (with > seen -> with : seen);
    j = 0;
    do
    :: j < TABS ->
      behind[j] = behind[j] || (j != who && app[j] == 2);
      j++
    :: else -> break
    od;
    late_behind = late_behind || (late != 0 && late_by != who)
  :: else
  fi
}

inline saves(t) {
  if
  /* A new holder registers its fence before it loads; a stale one is refused here. */
#ifdef BREAK_LOADS_FIRST
  :: d_step { tok[t] != 0 && app[t] == 0 -> app[t] = 2; behind[t] = false }
#else
  :: d_step { tok[t] != 0 && app[t] == 0 ->
      if
      :: tok[t] >= seen -> seen = tok[t]; app[t] = 1
      :: else -> forget(t)
      fi }
#endif
  :: d_step { app[t] == 1 -> app[t] = 2; behind[t] = false }
  :: d_step { app[t] == 2 -> arrives(t, tok[t], behind[t]) }
  :: d_step { app[t] == 2 && late == 0 -> late = tok[t]; late_by = t; late_behind = behind[t] }
  fi
}

inline late_save() {
  if
  :: d_step { late != 0 ->
      arrives(late_by, late, late_behind);
      late = 0;
      late_by = NONE;
      late_behind = false }
  :: d_step { late != 0 -> late = 0; late_by = NONE; late_behind = false } /* lost on the way */
  fi
}
#endif

/* ---- who does all this ---- */

#define AFTERWARDS d_step { renumber(); invariants(); skip }

/* Every actor is a process. Weak fairness (of the ltl formulas) asks that each goes on as long as it can; of tabs and the
   administrator that asks nothing, since they may always do nothing: only what time does is sure to come. */
active [TABS] proctype tab() {
  do
  :: atomic {
      if
      :: comes_and_goes(_pid)
      :: edits(_pid)
#ifdef APP
      :: saves(_pid)
#else
      :: queues(_pid)
#endif
#ifdef HOLDS_ON
      :: expires()
#endif
#ifdef LIVENESS
      :: d_step { skip }
#endif
      fi;
      AFTERWARDS }
  od
}

active proctype administrator() {
  do
  :: atomic {
      if
      :: takes_over()
#ifdef LIVENESS
      :: d_step { skip }
#endif
      fi;
      AFTERWARDS }
  od
}

/* The lock's own deadline, that of a takeover, those of who waits. */
active proctype deadline() {
  do
  :: atomic { times_out(); AFTERWARDS }
  od
}

#ifndef BREAK_NO_FORCE
active proctype force() {
  do
  :: atomic { forces(); AFTERWARDS }
  od
}
#endif

#ifndef APP
active proctype waiters() {
  do
  :: atomic {
      if
      :: ends_waiting(A1)
      :: ends_waiting(A2)
      :: ends_waiting(B)
      :: ends_waiting(X)
      fi;
      AFTERWARDS }
  od
}

#endif

#ifdef APP
active proctype network() {
  do
  :: atomic { late_save(); AFTERWARDS }
  od
}
#endif

#if !defined(LIVENESS) && !defined(APP)
active proctype operator() {
  do
  :: atomic {
      if
      :: operator_gives(A1)
      :: operator_gives(A2)
      :: operator_gives(B)
      :: operator_gives(X)
      fi;
      AFTERWARDS }
  od
}
#endif

#ifdef LIVENESS
/* Sooner or later nobody takes over and approves any more: either can put others first for ever. */
#ifndef BREAK_NEVER_CALM
active proctype calm() {
  quiet = true
}
#endif

#define in_queue(t) (place[t] != 0 && conn[t] == IN && !(state == RESERVED && owner == t))

/* Nobody who stays connected waits for ever. */
ltl one_of_two_tabs_waits_not_for_ever { [] (in_queue(A1) -> <> !in_queue(A1)) }
ltl other_user_waits_not_for_ever { [] (in_queue(B) -> <> !in_queue(B)) }
/* A lock does not stay reserved for one who does not come. */
ltl reservation_ends { [] ((state == RESERVED && owner == B) -> <> !(state == RESERVED && owner == B)) }
/* A takeover does not stay pending. */
ltl takeover_ends { [] (pending -> <> !pending) }
#endif
