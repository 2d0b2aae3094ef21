/*
 * A store that is rolled back to an older state, and the recovery window in which instances report, for the model
 * checker Spin. docs/model.md says what is modelled and what is not; tests/model/check.sh runs it. The lock itself is
 * lock.pml's: here it is only held or free, and tokens are numbers that are not many.
 *
 * Who takes part: three tabs of three users, each on an instance of its own. An instance reads the store's events when
 * it likes, or never before the store is another; its tab believes what it was told. One event is one script call.
 *
 * Variants:
 *   (none)                 the protocol
 *   -DBREAK_OLD_TOKEN      a lock goes on under its old token, though somebody has seen a higher one
 *   -DBREAK_LIFTS_AT_ONCE  it gets a new one when the first tells of the higher one, not when all have reported
 *   -DBREAK_KEEPS_DISOWNED a lock that its owner does not report stays
 */

#define TABS 3
#define NONE 3
#define MOST 3 /* grants */

/* The store. */
byte owner = NONE;
byte token = 0;
byte clock = 0; /* time goes on in a store that is rolled back: so do tokens */
byte old_owner = NONE; /* what it may be rolled back to */
byte old_token = 0;
bool rolled_back = false;

/* The window. */
bool window = false;
bool stands = false; /* somebody has reported the lock as it is */
byte high = 0;       /* the highest token that was told of */
bool reported[TABS];

/* Each tab and its instance: the token that the tab was told last, 0 for none; the highest that the instance has seen. */
byte tok[TABS];
byte seen[TABS];
bool gave_up[TABS]; /* it released the grant that the store can be rolled back to */

/* The application: the highest token that was registered; who has not read what another saved since. */
byte registered = 0;
bool loaded[TABS];
bool behind[TABS];

byte j;

inline tell(who, what) {
  if
  :: what != tok[who] -> tok[who] = what; loaded[who] = false
  :: else
  fi;
  if
  :: what > seen[who] -> seen[who] = what
  :: else
  fi
}

/* An instance reads where the lock stands. Before it has reported what the store has lost, that is no news. */
inline reads(who) {
  if
  :: token > seen[who] -> seen[who] = token
  :: else
  fi;
  if
  :: owner == who && token != tok[who] && tok[who] != 0 -> tell(who, token)
  :: owner != who && tok[who] != 0 -> tok[who] = 0; loaded[who] = false
  :: else
  fi
}

inline lift() {
  clock++;
  token = clock
}

inline report(who) {
  reported[who] = true;
  if
  :: seen[who] > high -> high = seen[who]
  :: else
  fi;
  if
  :: owner == who && tok[who] == 0 && token <= seen[who] -> /* disowned */
#ifndef BREAK_KEEPS_DISOWNED
    owner = NONE;
    token = 0
#else
    skip
#endif
  :: tok[who] != 0 && (owner == who || tok[who] > token) ->
    owner = who;
    token = (tok[who] > token -> tok[who] : token);
    stands = true
  :: else
  fi;
#ifdef BREAK_LIFTS_AT_ONCE
  if
  :: owner != NONE && token < high -> lift()
  :: else
  fi;
#endif
  /* Who has the latest grant that anybody, or the store, knows of has the lock. */
  assert(tok[who] == 0 || tok[who] < seen[0] || tok[who] < seen[1] || tok[who] < seen[2] || tok[who] < old_token ||
         owner == who);
  if
  :: owner != who -> tok[who] = 0; loaded[who] = false
  :: else
  fi
}

inline close() {
  if
  :: owner != NONE && token < high && !stands -> owner = NONE; token = 0
#ifndef BREAK_OLD_TOKEN
  :: owner != NONE && token < high && stands -> lift()
#endif
  :: else
  fi;
  window = false;
  j = 0;
  do
  :: j < TABS -> reads(j); j++
  :: else -> break
  od;
  /* The lock is below nothing that anybody has seen, or registered: its owner can save. */
  assert(owner == NONE || (token >= seen[0] && token >= seen[1] && token >= seen[2] && token >= registered));
  /* It is its owner's, who knows of it: nobody holds what it has given up. */
  assert(owner == NONE || !(gave_up[owner] && token == old_token));
  /* Nobody else believes in it. */
  j = 0;
  do
  :: j < TABS -> assert(j == owner || tok[j] == 0); j++
  :: else -> break
  od
}

active [TABS] proctype tab() {
  do
  :: d_step { !window && owner == NONE && clock < MOST ->
      clock++;
      token = clock;
      owner = _pid;
      tell(_pid, token); skip }
  /* It never hears of it. */
  :: d_step { !window && owner == NONE && clock < MOST -> clock++; token = clock; owner = _pid }
  :: d_step { !window && owner == _pid && tok[_pid] == token ->
      gave_up[_pid] = gave_up[_pid] || token == old_token;
      owner = NONE;
      token = 0;
      tok[_pid] = 0;
      loaded[_pid] = false }
  :: d_step { !window -> reads(_pid); skip }
  :: d_step { window && !reported[_pid] -> report(_pid); skip }
  /* The tab gives up by itself: what it was told is too long ago. */
  :: d_step { tok[_pid] != 0 -> tok[_pid] = 0; loaded[_pid] = false }
  /* It registers its token, and then loads; it saves. */
  :: d_step { tok[_pid] != 0 && tok[_pid] >= registered && !loaded[_pid] ->
      registered = tok[_pid];
      loaded[_pid] = true;
      behind[_pid] = false }
  :: d_step { tok[_pid] != 0 && tok[_pid] >= registered && loaded[_pid] ->
      assert(!behind[_pid]); /* nobody overwrites what it has not read */
      registered = tok[_pid];
      j = 0;
      do
      :: j < TABS -> behind[j] = behind[j] || j != _pid; j++
      :: else -> break
      od;
      skip }
  od
}

active proctype store() {
  do
  /* A TTL, a grace, an operator. */
  :: d_step { !window && owner != NONE -> owner = NONE; token = 0 }
  :: d_step { !window && !rolled_back && owner != NONE && old_token == 0 -> old_owner = owner; old_token = token }
  :: d_step { !window && !rolled_back && old_token != 0 ->
      rolled_back = true;
      owner = old_owner;
      token = old_token;
      window = true }
  :: d_step { window && reported[0] && reported[1] && reported[2] -> close(); skip }
  od
}
