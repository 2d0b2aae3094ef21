/*
 * The results of calls to the lock module: a struct for each kind of call, with what its script
 * answers. Strings and arrays are borrowed until the callback returns. With a status other than
 * LOCK_OK only `status` and `error` have a meaning, and there are no events.
 */
#ifndef WSLOCK_LOCK_RESULTS_H
#define WSLOCK_LOCK_RESULTS_H

#include "wslock/lock/types.h"

enum lock_status {
    LOCK_OK,          /* the script decided: see outcome */
    LOCK_UNAVAILABLE, /* nothing happened: BACKEND_UNAVAILABLE */
    LOCK_UNKNOWN, /* it may have happened: BACKEND_UNAVAILABLE too; the shard is resynchronised */
};

enum lock_outcome {
#define LOCK_OUTCOME(id) LOCK_OUT_##id,
#include "wslock/lock/tables.def"
#undef LOCK_OUTCOME
};

/* Common to all calls. It is the whole result of leave, disconnect, release, withdraw and status.
 */
struct lock_result {
    enum lock_status status;
    enum lock_outcome outcome;
    int64_t rev;           /* the tick of the last event of this call, or the shard's last */
    int64_t now_ms;        /* store time of the decision */
    struct lock_view lock; /* after the call */
    const struct lock_event
        *events; /* changes by this call, in order; for the audit, not for clients */
    size_t event_count;
    const char *error; /* for the log */
};
typedef void (*lock_cb)(void *arg, const struct lock_result *result);

struct lock_acquire_result {
    struct lock_result common;
    bool resumed;                /* GRANTED: the caller had the lock before */
    struct lock_ending previous; /* GRANTED: how the lock before this one ended */
    int64_t limit;               /* TAB_LIMIT; join: VIEWERS_FULL too */
    const struct str *held;      /* TAB_LIMIT: the resources that the user holds in the document */
    size_t held_count;
    int64_t position, median_ms; /* QUEUED: from 1; how long holders keep the lock, -1: unknown */
};
typedef void (*lock_acquire_cb)(void *arg, const struct lock_acquire_result *result);

struct lock_join_result {
    struct lock_acquire_result acquire; /* outcome NONE: the lock was not tried */
    bool joined;                        /* the session is in the room now */
    struct lock_ending lost;            /* the given token was wrong */
    struct lock_snapshot snapshot;
};
typedef void (*lock_join_cb)(void *arg, const struct lock_join_result *result);

struct lock_heartbeat_result {
    struct lock_result common;
    bool resumed;            /* RENEWED: the lock was in grace */
    struct lock_ending lost; /* LOST */
};
typedef void (*lock_heartbeat_cb)(void *arg, const struct lock_heartbeat_result *result);

struct lock_request_result {
    struct lock_result common;
    struct str request_id; /* REQUESTED: of an older request, if the user has one */
    int64_t ends_ms;
};
typedef void (*lock_request_cb)(void *arg, const struct lock_request_result *result);

struct lock_reply_result {
    struct lock_result common;
    bool resumed; /* REPLIED: the lock was in grace, and the caller has it again */
};
typedef void (*lock_reply_cb)(void *arg, const struct lock_reply_result *result);

struct lock_takeover_result {
    struct lock_result common;
    bool resumed;                /* GRANTED: as for lock_acquire */
    struct lock_ending previous; /* GRANTED: as for lock_acquire */
};
typedef void (*lock_takeover_cb)(void *arg, const struct lock_takeover_result *result);

struct lock_verify_result {
    struct lock_result common;
    struct lock_ending lost;     /* LOST: how the grant of the token ended. If that is unknown, the
                                    reason is NOT_HELD, or STALE_TOKEN if a later grant exists */
    struct lock_ending previous; /* LOST: the latest grant that ended after it */
};
typedef void (*lock_verify_cb)(void *arg, const struct lock_verify_result *result);

struct lock_operate_result {
    struct lock_result common;
    struct lock_ending ended; /* RELEASED, RESERVED: the grant that ended by it */
    bool in_room;             /* RESERVED: the user is in the room */
};
typedef void (*lock_operate_cb)(void *arg, const struct lock_operate_result *result);

struct lock_inspect_result {
    struct lock_result common; /* NONE, or the outcome of the acquire that was judged */
    int64_t limit;             /* TAB_LIMIT */
    struct lock_snapshot snapshot;
    const struct lock_ending *endings; /* newest first */
    size_t ending_count;
};
typedef void (*lock_inspect_cb)(void *arg, const struct lock_inspect_result *result);

struct lock_listed {
    struct str resource;
    struct lock_view lock;
};

struct lock_list_result {
    enum lock_status status;
    const struct lock_listed *locks; /* in the order of their resources' bytes */
    size_t count;
    struct str next; /* further ones are behind this resource; empty: there are none */
    int64_t now_ms;  /* store time, a lower bound */
    const char *error;
};
typedef void (*lock_list_cb)(void *arg, const struct lock_list_result *result);

struct lock_report_result {
    struct lock_result common;
    struct lock_ending lost;      /* the owner no longer has the reported lock */
    const struct str *superseded; /* reported sessions whose place a newer one of the tab has */
    size_t superseded_count;
    struct lock_snapshot snapshot;
};
typedef void (*lock_report_cb)(void *arg, const struct lock_report_result *result);

#endif
