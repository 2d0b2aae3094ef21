/* What the sessions share, and the table of the sessions. */
#ifndef WSLOCK_SESSION_REGISTRY_H
#define WSLOCK_SESSION_REGISTRY_H

#include "wslock/base/list.h"
#include "wslock/base/map.h"
#include "wslock/base/wheel.h"
#include "wslock/lock/lock.h"
#include "wslock/room/room.h"
#include "wslock/session/gateway.h"

struct session;

struct gateway {
    struct gateway_parts parts;
    struct config_types *types;
    struct lock_store *store;
    struct rooms *rooms;
    struct map *sessions;                     /* session id → struct session */
    size_t framing_count[WIRE_FRAMING_COUNT]; /* sessions */
    struct map *user_count;                   /* registry.c: user id → struct user_count */
    struct list disconnects;                  /* disconnect.c */
    struct list disconnects_due;              /* those that wait for their turn */
    size_t disconnects_calling;
    struct list delayed_replies; /* delayed_replies.c */
    struct list terminations;    /* operate.c */
    struct list key_waits;       /* key_wait.c */
    struct list key_waits_due;   /* those that are checked in the next turns */
    struct wheel_timer key_wait_timer;
    size_t key_wait_count;
    struct list listings; /* inspect.c */
    void (*on_fatal)(void *ctx, const char *problem);
    void *on_fatal_ctx;
    bool started, degraded, draining;
    struct wheel_timer drain_timer; /* gateway.c: for the next part of the sessions */
    size_t drain_cursor;
    uint64_t drain_spread_ms;
    unsigned reconciliation; /* number of the latest one that has begun */
    uint64_t ref_counter;
    char ref_prefix[7]; /* random, one a process */
};

/* Without store and rooms. */
struct gateway *registry_create(const struct gateway_parts *parts);
/* No session is left; store and rooms are gone. */
void registry_destroy(struct gateway *g);

/* The type of a resource: as configured, or else that of its room here, whose type a reload took
 * away. NULL: there is neither. */
const struct config_resource_type *gateway_type_of(const struct gateway *g,
                                                   const struct wire_resource *resource);

struct session *gateway_session(struct gateway *g, const char *id);
/* Counts the session among those of the user. False: the user has as many connections as the limit
 * allows; this one was not counted. */
bool gateway_count_user(struct session *s, const char *user_id) MUST_CHECK;
void gateway_uncount_user(struct session *s);
/* The sessions of a user that are counted (session.of_user), oldest first; NULL: none. */
struct list *gateway_sessions_of(struct gateway *g, struct str user_id);
/* A short text that identifies one error in the answer, the log and the audit. */
void gateway_make_ref(struct gateway *g, char out[32]);

#endif
