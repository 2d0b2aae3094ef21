/*
 * Finds the master by its name: asks the Sentinels one after another, and watches the one that has
 * answered. Shared by the links of one node, which must all lead to the same server.
 */
#ifndef WSLOCK_SRC_REDIS_SENTINEL_H
#define WSLOCK_SRC_REDIS_SENTINEL_H

#include <uv.h>

#include "sentinel_reply.h"

#include "wslock/base/list.h"
#include "wslock/config/config.h"

struct sentinel;

/* A link. Its callbacks may come from any callback of the loop, but not from within a function of
 * this header. */
struct sentinel_user {
    struct list node;
    struct redis_address at; /* where it was told to connect to; port 0: nowhere */
    bool waiting;            /* on_found or on_failed follows */
    bool up;                 /* set by the user while it is connected there, to a master */
    void (*on_found)(void *ctx, const struct redis_address *address);
    void (*on_failed)(void *ctx, const char *reason);
    void (*on_switched)(void *ctx); /* the master is no longer at `at` */
    void *ctx;
};

/* config is kept (reference); it names a master and at least one Sentinel. */
struct sentinel *sentinel_create(uv_loop_t *loop, const struct config *config);
/* The user is the caller's, until it leaves. The last one to leave destroys the rest, whose handles
 * close asynchronously. */
void sentinel_join(struct sentinel *s, struct sentinel_user *user);
void sentinel_leave(struct sentinel *s, struct sentinel_user *user);
/* True: `at` is where another user is connected, or what the last message said. False: on_found or
 * on_failed follows, within SENTINEL_ASK_MS for each Sentinel. */
bool sentinel_find(struct sentinel *s, struct sentinel_user *user) MUST_CHECK;
/* There is no master at the found address: another Sentinel is asked first. */
void sentinel_doubt(struct sentinel *s);

#endif
