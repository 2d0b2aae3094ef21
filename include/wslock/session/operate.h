/*
 * What an operator does: releases a lock, reserves it for a user, ends sessions of this instance.
 * The caller has checked the operator's rights.
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
    OPERATE_NOTHING,     /* the lock is free; there is no such session */
    OPERATE_UNAVAILABLE, /* the store is away or recovers */
    OPERATE_UNAUDITED,   /* the audit cannot be written, and audit.onFailure forbids it then */
};

/* Strings and pointers are borrowed for the callback. */
struct operate_answer {
    enum operate_verdict verdict;
    /* a lock, DONE */
    const struct lock_view *lock;    /* as it is after that */
    const struct lock_ending *ended; /* the grant that ended by it, if one did */
    bool in_room;                    /* a takeover: the user is there to claim it */
    /* a session, DONE */
    struct str user_id, username;
    size_t rooms;    /* joined when it ended */
    size_t sessions; /* of a user: how many were ended */
    bool complete;   /* the store has ended all rooms; else it will as soon as it can */
};

typedef void (*operate_cb)(void *arg, const struct operate_answer *answer);

/* resource: of a known type. takeover: reserves the lock for operation->user_id. cb is called once,
 * perhaps from inside. */
void gateway_operate_lock(struct gateway *g, const struct wire_resource *resource, bool takeover,
                          const struct lock_operation *operation, operate_cb cb, void *arg);
/* by: its user is not used. cb as above. */
void gateway_end_session(struct gateway *g, struct str session_id, const struct lock_operation *by,
                         operate_cb cb, void *arg);
/* The same for all sessions of the user on this instance. */
void gateway_end_user(struct gateway *g, struct str user_id, const struct lock_operation *by,
                      operate_cb cb, void *arg);
/* The audit cannot be written, and audit.onFailure forbids what an administrator does then. */
bool gateway_forbids_admin(const struct gateway *g);
/* done is called once, never from inside, when the audit has all records so far on disk, or cannot
 * write them for now (not ok), which is logged. */
void gateway_when_audited(struct gateway *g, void (*done)(void *arg, bool ok), void *arg);

#endif
