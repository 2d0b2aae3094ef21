/*
 * What the sessions share: configuration, lock store, rooms, audit, verifier, timers, and the
 * sessions themselves. app makes it, net hands connections to it.
 */
#ifndef WSLOCK_SESSION_GATEWAY_H
#define WSLOCK_SESSION_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/audit/audit.h"
#include "wslock/auth/auth.h"
#include "wslock/auth/ticket.h"
#include "wslock/base/macros.h"
#include "wslock/base/wheel.h"
#include "wslock/config/config.h"

typedef struct uv_loop_s uv_loop_t;
struct gateway;

struct gateway_parts { /* borrowed, must outlive the gateway; config is referenced */
    uv_loop_t *loop;
    struct wheel *wheel;
    struct config *config;
    struct auth *auth;
    struct audit *audit;
    const struct ticket_keys *tickets; /* NULL: no tickets are signed */
};

/* Connects to the store; on_fatal (exit 3) only before gateway_started is true. */
struct gateway *gateway_create(const struct gateway_parts *parts,
                               void (*on_fatal)(void *ctx, const char *problem), void *ctx);
/* After every session is gone (gateway_session_count is 0) or the drain time is over. */
void gateway_destroy(struct gateway **g);

/* The store has been reached once and every shard is open. */
bool gateway_started(const struct gateway *g);
/* A recovery window is open: nothing is granted. */
bool gateway_recovering(const struct gateway *g);
/* Why the store could not be reached, for exit 3. */
const char *gateway_store_problem(const struct gateway *g);
size_t gateway_session_count(const struct gateway *g);

/* `server:draining` to all, with times to come back that are spread, then close 1001; new
 * handshakes are net's to refuse. gateway_drained is true when no session is left and every
 * disconnect has gone through. */
void gateway_drain(struct gateway *g);
bool gateway_drained(const struct gateway *g);
/* Closes whatever is left at once (drainTimeout over). */
void gateway_close_all(struct gateway *g);

/* Reasons why it cannot grant locks now, for /readyz: fills at most max static texts, returns how
 * many. */
size_t gateway_not_ready(const struct gateway *g, const char **reasons, size_t max);
/* Gauges that are counted when they are asked for. */
void gateway_collect_metrics(struct gateway *g);

#endif
