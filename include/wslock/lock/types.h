/*
 * What the lock module tells. All times are milliseconds of the store's clock (Redis TIME) since
 * the Unix epoch unless the name says otherwise; fencing tokens, revs and event ids are ticks
 * (microseconds of the shard's own clock, below 2^53). Every struct str is borrowed from the reply:
 * copy what must live on.
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

/* An administrator's pending takeover, or the one by which a lock moved. */
struct lock_takeover {
    bool present;
    struct str request_id, user_id, username, client_id, reason;
    int64_t force_at_ms;
    bool urgent, denied;
    struct str ended;  /* decision, or why it was cancelled; empty while it is pending */
    struct str packed; /* as it came, to be reported */
};

/* Somebody who waits for a lock, or has it reserved: a place in the queue, a request, or both. */
struct lock_waiter {
    struct str user_id, username, client_id;
    bool queues, requests;
    struct str request_id, message; /* requests */
    int64_t ends_ms;                /* requests: 0 once it is approved */
    int64_t since_ms;
    int64_t order;     /* by which the queue is sorted */
    struct str packed; /* as it came, to be reported */
};

/* What an operator did to a lock, and for whom. */
struct lock_operation {
    struct str actor, reason;
    struct str address;           /* it came from there; empty: over the unix socket … */
    int64_t uid;                  /* … from a process of this user; -1: not over that */
    struct str user_id, username; /* a takeover: for whom; a release: whose turn ended, or empty */
};

/* A lock at one moment. Fields that the state does not have are 0 or empty. */
struct lock_view {
    enum lock_state state;
    struct str user_id, username, client_id; /* held, grace: the owner; reserved: for whom */
    struct str page_id;    /* held, grace: that it was granted or last resumed on; empty: unnamed */
    int64_t token;         /* held, grace */
    int64_t since_ms;      /* held, grace: when it was granted */
    int64_t expires_ms;    /* held, grace */
    int64_t idle_until_ms; /* held with idleRelease: when it ends unless active; else 0 */
    int64_t grace_until_ms;    /* grace */
    int64_t reserved_until_ms; /* reserved */
    bool dirty;
    bool client_made; /* held, grace: the server made the clientId */
    bool prompt;      /* grace: who claims it may have it */
    int64_t queue_length;
    struct lock_takeover takeover; /* held: pending */
};

/* Somebody has it, if only in grace. */
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
    struct str revision; /* p == NULL: none was given */
    int64_t since_ms, ended_ms;
    struct str by;         /* display name of who took it, or empty */
    struct str request_id; /* the request or takeover that it was given up for, or empty */
};

/* One membership: a (user, clientId) in a room, with the session that has it now. */
struct lock_member {
    struct str user_id, username, client_id, session_id;
    int64_t joined_ms;
};

/* The numbers are those of KIND in src/lock/layouts.def. */
enum lock_event_kind {
    LOCK_EVENT_LOCK,   /* the lock changed (also a renewal that is told) */
    LOCK_EVENT_JOIN,   /* a member came, or its session was replaced by another (old_session_id) */
    LOCK_EVENT_LEAVE,  /* a member went */
    LOCK_EVENT_WAITER, /* somebody waits, waits otherwise or waits no more. Who gets a lock, or has
                         it reserved for them, waits no more without one of these. */
    LOCK_EVENT_TAKEOVER,  /* a pending takeover came, changed or went without the lock moving */
    LOCK_EVENT_OPERATION, /* an operator did what the LOCK that follows tells */
};

/* One change, as it stands in the shard's stream and in the reply of the script that made it. */
struct lock_event {
    enum lock_event_kind kind;
    int64_t rev;  /* its tick: the stream entry's id is "<rev>-0" */
    int64_t prev; /* the tick of the shard's event before it */
    struct str resource;
    /* The session whose request caused it (empty: nobody's, e.g. an expiry). */
    struct str actor_session_id;
    /* LOCK */
    enum lock_cause cause;
    struct lock_view lock; /* after the change */
    struct lock_ending
        ended; /* present when somebody's grant ended by it (reason says how it is told
                  to the loser; with RESUMED or MOVED under a new token: the old grant) */
    /* JOIN, LEAVE */
    struct lock_member member;
    struct str old_session_id; /* JOIN: the superseded connection; else empty */
    int64_t member_count;      /* of the room, after the change: connections in all */
    /* WAITER (cause says what) */
    struct lock_waiter waiter; /* as it is now; as it was, where it has gone */
    bool there;
    int64_t queue_length;
    int64_t median_ms; /* what holders of this lock took; -1: nobody knows */
    /* TAKEOVER (cause), and LOCK where it moved by one */
    struct lock_takeover takeover;
    int64_t token; /* TAKEOVER: of the lock that it is about */
    /* OPERATION: ADMIN_RELEASED or TAKEN_BY_ADMIN (cause); ended as in the LOCK */
    struct lock_operation operation;
};

/* The whole room at `rev`. */
struct lock_snapshot {
    int64_t rev;
    struct lock_view lock;
    const struct lock_member *members; /* the holder and the newest, at most presenceMaxListed */
    size_t member_listed;
    int64_t member_count;              /* true count of connections */
    const struct lock_waiter *waiters; /* in order; last, for whom it is reserved */
    size_t waiter_count;
    int64_t median_ms;
};

/* From the packed form, which must outlive *out. False: malformed, and *out is zeroed. */
bool lock_takeover_decode(struct str packed, struct lock_takeover *out);
bool lock_waiter_decode(struct str user_id, struct str client_id, struct str packed,
                        struct lock_waiter *out);

#endif
