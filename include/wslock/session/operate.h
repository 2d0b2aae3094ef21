/*
 * What an operator does from outside: releasing a lock, having it reserved for a user, ending a
 * session of this instance. Who may has been looked at before.
 */
#ifndef WSLOCK_SESSION_OPERATE_H
#define WSLOCK_SESSION_OPERATE_H

#include <stdbool.h>
#include <stddef.h>

#include "wslock/lock/types.h"
#include "wslock/wire/resource.h"

struct gateway;

enum operate_verdict {
    OPERATE_DONE,
    OPERATE_NOTHING,     /* nobody has the lock; there is no such session */
    OPERATE_UNAVAILABLE, /* the store cannot be asked, or recovers */
    OPERATE_UNAUDITED,   /* the audit cannot be written, and without it nothing is done */
};

/* Everything is borrowed for the callback. */
struct operate_answer {
    enum operate_verdict verdict;
    /* of a lock, DONE */
    const struct lock_view *lock;    /* as it is now */
    const struct lock_ending *ended; /* the grant that ended by it; may be none */
    bool in_room;                    /* a takeover: the user is there to claim it */
    /* of a session, DONE */
    struct str user_id, username;
    size_t rooms;  /* that it was in */
    bool complete; /* the store knows of all of them; else it is told as soon as it can be */
};

typedef void (*operate_cb)(void *arg, const struct operate_answer *answer);

/* resource: of a known type. takeover: for operation->user_id. cb is called once, perhaps from
 * within. */
void gateway_operate_lock(struct gateway *g, const struct wire_resource *resource, bool takeover,
                          const struct lock_operation *operation, operate_cb cb, void *arg);
/* by: its user does not matter. cb as above. */
void gateway_end_session(struct gateway *g, struct str session_id, const struct lock_operation *by,
                         operate_cb cb, void *arg);
/* done is called once, never from within, when the audit has what was done so far on disk, or
 * cannot put it there for now, which is logged. */
void gateway_when_audited(struct gateway *g, void (*done)(void *arg), void *arg);

#endif
