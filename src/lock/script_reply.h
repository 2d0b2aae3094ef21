/* Decoding of script replies (src/lock/lua/README.md, Reply). Every item is checked; strings are
 * borrowed from the reply. */
#ifndef WSLOCK_SRC_LOCK_SCRIPT_REPLY_H
#define WSLOCK_SRC_LOCK_SCRIPT_REPLY_H

#include "wslock/base/macros.h"
#include "wslock/lock/results.h"

enum script_status {
    SCRIPT_OK,
    SCRIPT_LATE,     /* after notAfter: nothing happened */
    SCRIPT_SHARDS,   /* the store is laid out for `rev` shards */
    SCRIPT_SCHEMA,   /* the store has schema `rev` */
    SCRIPT_AHEAD,    /* a reported tick is more than a day ahead of `rev` */
    SCRIPT_NO_REPLY, /* none was decoded */
};

/* A decoded reply. A script answers some of it; the caller gets the result of its kind of call
 * (results.h). */
struct script_reply {
    enum script_status status;
    int64_t window;  /* when the open recovery window was opened; 0: none */
    int64_t next_ms; /* the next deadline; 0: none */
    bool resumed, joined;
    bool late;       /* lease: it had expired or did not exist */
    bool more;       /* sweep: more is due already */
    bool unreadable; /* sweep: something due could not be settled */
    struct lock_result common;
    struct lock_ending previous, lost;
    int64_t limit;
    const struct str *names; /* what they name depends on the script */
    size_t name_count;
    int64_t position; /* of the caller's place, as the next two */
    struct str request_id;
    int64_t ends_ms;
    struct lock_snapshot snapshot;
};

/* Arrays that a reply points into, reused by the next reply. */
struct decode_scratch {
    struct lock_event *events;
    struct str *names;
    struct lock_member *members;
    struct lock_waiter *waiters;
    size_t event_cap, name_cap, member_cap, waiter_cap;
};
void decode_scratch_fini(struct decode_scratch *scratch);

/* Sets LOCK_OK and everything that the reply contains. False: not a reply of our scripts. */
bool script_reply_decode(struct str packed, struct decode_scratch *scratch,
                         struct script_reply *out) MUST_CHECK;

#endif
