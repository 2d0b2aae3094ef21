/* Decoding of script replies (src/lock/lua/README.md, Reply). Every item is checked; strings are
 * borrowed from the reply. */
#ifndef WSLOCK_SRC_LOCK_SCRIPT_REPLY_H
#define WSLOCK_SRC_LOCK_SCRIPT_REPLY_H

#include "wslock/base/macros.h"
#include "wslock/lock/lock.h"

enum script_status {
    SCRIPT_OK,
    SCRIPT_LATE,     /* after notAfter: nothing happened */
    SCRIPT_SHARDS,   /* the store is laid out for `rev` shards */
    SCRIPT_SCHEMA,   /* the store has schema `rev` */
    SCRIPT_AHEAD,    /* a reported tick is more than a day ahead of `rev` */
    SCRIPT_NO_REPLY, /* none was decoded */
};

struct script_reply {
    enum script_status status;
    int64_t window;  /* when the open recovery window was opened; 0: none */
    int64_t next_ms; /* the next deadline; 0: none */
    bool late;       /* lease: it had expired or did not exist */
    bool more;       /* sweep: more is due already */
    bool unreadable; /* sweep: something due could not be settled */
    struct lock_result common;
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
