/* Decoding of script replies (src/lock/lua/README.md, Reply). Every item is checked; strings are
 * borrowed from the reply. */
#ifndef WSLOCK_SRC_LOCK_SCRIPT_REPLY_H
#define WSLOCK_SRC_LOCK_SCRIPT_REPLY_H

#include "wslock/base/macros.h"
#include "wslock/lock/lock.h"

enum script_status {
    SCRIPT_OK,
    SCRIPT_LATE,   /* after notAfter: nothing happened */
    SCRIPT_SHARDS, /* the store is laid out for `rev` shards */
    SCRIPT_SCHEMA, /* the store has schema `rev` */
    SCRIPT_AHEAD,  /* a reported tick is more than a day ahead of `rev` */
};

/* What a reply contains besides the result. */
struct script_head {
    enum script_status status;
    int64_t rev, now_ms;
    int64_t window;  /* when the open recovery window was opened; 0: none */
    int64_t next_ms; /* the next deadline; 0: none */
    bool late;       /* lease: it had expired or did not exist */
    bool more;       /* sweep: more is due already */
    bool unreadable; /* sweep: something due could not be settled */
};

/* Arrays that a result points into, reused by the next reply. */
struct decode_scratch {
    struct lock_event *events;
    struct str *names;
    struct lock_member *members;
    struct lock_waiter *waiters;
    size_t event_cap, name_cap, member_cap, waiter_cap;
};
void decode_scratch_fini(struct decode_scratch *scratch);

/* Sets status LOCK_OK and everything that the reply contains. False: not a reply of our scripts. */
bool script_reply_decode(struct str packed, struct decode_scratch *scratch,
                         struct script_head *head, struct lock_result *out) MUST_CHECK;

#endif
