/*
 * The records of the lock module. Times are milliseconds of the store's clock (Redis TIME) since
 * the Unix epoch unless the name says otherwise. Fencing tokens, revs and event ids are ticks
 * (microseconds of the shard's own clock, below 2^53). Every struct str is borrowed from the reply:
 * copy it to keep it.
 */
#ifndef WSLOCK_LOCK_TYPES_H
#define WSLOCK_LOCK_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/str.h"

enum lock_state {
#define LOCK_STATE(id, text) LOCK_STATE_##id,
#include "wslock/lock/tables.def"
#undef LOCK_STATE
};
const char *lock_state_text(enum lock_state state);

enum lock_cause {
#define LOCK_CAUSE(id, text) LOCK_CAUSE_##id,
#include "wslock/lock/tables.def"
#undef LOCK_CAUSE
};
const char *lock_cause_text(enum lock_cause cause);
/* LOCK_CAUSE_NONE for an unknown text. */
enum lock_cause lock_cause_parse(struct str text);

#define LOCK_USER_MAX 256 /* bytes of a userId, and of a clientId, in the store */
#define LOCK_CLIENT_MAX 64

/* An administrator's pending takeover, or the one that moved a lock. */
struct lock_takeover {
    bool present;
    struct str request_id, user_id, username, client_id, reason;
    int64_t force_at_ms;
    bool urgent, denied;
    struct str ended;  /* decision, or why it was cancelled; empty: pending */
    struct str origin; /* for the audit, as it was given to lock_takeover; empty: not known */
    struct str packed; /* as in the store, to be reported */
};

/* A tab that waits for a lock, with a place in the queue, a request or both, or for which the lock
 * is reserved. */
struct lock_waiter {
    struct str user_id, username, client_id;
    bool queues, requests;
    struct str request_id, message; /* requests */
    int64_t ends_ms;                /* requests: 0 after it was approved */
    int64_t since_ms;
    int64_t order;     /* the queue is sorted by it */
    struct str packed; /* as in the store, to be reported */
};

/* An operator's takeover or release of a lock. */
struct lock_operation {
    struct str actor, reason;
    struct str address; /* of the operator; empty: over the unix socket … */
    int64_t uid;        /* … from a process of this user; -1: not over the unix socket */
    struct str user_id, username; /* takeover: the new user; release: whose turn ended, or empty */
};

/* A lock at one moment. Fields that the state does not have are 0 or empty. */
struct lock_view {
    enum lock_state state;
    struct str user_id, username, client_id; /* held, grace: the owner; reserved: for this tab */
    struct str page_id;     /* held, grace: page of the grant or the last resume; empty: no name */
    int64_t token;          /* held, grace */
    int64_t since_ms;       /* held, grace: when it was granted */
    int64_t expires_ms;     /* held, grace */
    int64_t idle_until_ms;  /* held with idleRelease: end without activity; else 0 */
    int64_t grace_until_ms; /* grace */
    int64_t reserved_until_ms; /* reserved */
    bool dirty;
    bool client_made; /* held, grace: the server made the clientId */
    bool prompt;      /* grace: it may be claimed */
    int64_t queue_length;
    struct str policy; /* as stored: "<lockTtl ms> …"; empty if the lock was never granted */
    struct lock_takeover takeover; /* held: pending */
};

/* It has an owner: held or in grace. */
static inline bool lock_is_owned(const struct lock_view *lock) {
    return lock->state == LOCK_STATE_HELD || lock->state == LOCK_STATE_GRACE;
}

/* How a lock ended: `previous`, `lost`. */
struct lock_ending {
    bool present;
    struct str user_id, username, client_id;
    int64_t token;
    enum lock_cause reason;
    bool dirty;
    struct str revision; /* p == NULL: none given */
    int64_t since_ms, ended_ms;
    struct str by;         /* display name of the user who took it, or empty */
    struct str request_id; /* of the request or takeover that ended it, or empty */
};

/* One membership: a (user, clientId) in a room, with its present session. */
struct lock_member {
    struct str user_id, username, client_id, session_id;
    int64_t joined_ms;
};

/* The numbers are those of KIND in src/lock/layouts.def. */
enum lock_event_kind {
    LOCK_EVENT_LOCK,      /* the lock changed (or was renewed: not every renewal has an event) */
    LOCK_EVENT_JOIN,      /* a member joined, or another session replaced its old_session_id */
    LOCK_EVENT_LEAVE,     /* a member left */
    LOCK_EVENT_WAITER,    /* a waiter came, changed or left. A waiter that gets the lock, or a
                            reservation of it, leaves without this event. */
    LOCK_EVENT_TAKEOVER,  /* a pending takeover came, changed or ended, and the lock did not move */
    LOCK_EVENT_OPERATION, /* an operator caused the LOCK event that follows */
};

/* One change, as in the shard's stream and in the reply of the script that made it. */
struct lock_event {
    enum lock_event_kind kind;
    int64_t rev;  /* its tick: the stream entry's id is "<rev>-0" */
    int64_t prev; /* the tick of the shard's event before it */
    struct str resource;
    /* The session whose request caused it; empty: none, e.g. an expiry. */
    struct str actor_session_id;
    /* LOCK */
    enum lock_cause cause;
    struct lock_view lock;    /* after the change */
    struct lock_ending ended; /* present if a grant ended by it (reason is that of lock:lost; with
                                 RESUMED or MOVED under a new token: the old grant) */
    /* JOIN, LEAVE */
    struct lock_member member;
    struct str old_session_id; /* JOIN: the superseded session; else empty */
    int64_t member_count;      /* connections in the room after the change */
    /* WAITER (see cause) */
    struct lock_waiter waiter; /* after the change; if it left, before it */
    bool there;                /* it still waits */
    int64_t queue_length;
    int64_t median_ms; /* how long holders keep the lock; -1: unknown */
    /* TAKEOVER (see cause), and LOCK if a takeover moved it */
    struct lock_takeover takeover;
    int64_t token; /* TAKEOVER: of the lock */
    /* OPERATION: cause ADMIN_RELEASED or TAKEN_BY_ADMIN; ended as in the LOCK event */
    struct lock_operation operation;
};

/* The whole room at `rev`. */
struct lock_snapshot {
    int64_t rev;
    int64_t before_rev; /* the shard's rev before the call, whose events the reply contains */
    struct lock_view lock;
    const struct lock_member *members; /* the holder and the newest, at most
                                          presenceMaxListed; none if not asked for */
    size_t member_listed;
    int64_t member_count;              /* all connections */
    const struct lock_waiter *waiters; /* in order; last the one that the lock is reserved for */
    size_t waiter_count;
    int64_t median_ms;
};

/* When it was granted or last renewed: its expiry less the lockTtl that it was granted with. Later
 * than that if a gap has moved the expiry. 0: it is not held. */
int64_t lock_renewed_ms(const struct lock_view *lock);

/* packed must outlive *out. False: malformed, and *out is zeroed. */
bool lock_takeover_decode(struct str packed, struct lock_takeover *out);
bool lock_waiter_decode(struct str user_id, struct str client_id, struct str packed,
                        struct lock_waiter *out);

#endif
