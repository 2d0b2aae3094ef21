/*
 * The sessions of this instance and what they share: configuration, lock store, rooms, audit,
 * verifier, timers. app creates the gateway, net opens sessions in it.
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
struct lock_operation;

struct gateway_parts { /* borrowed, must outlive the gateway */
    uv_loop_t *loop;
    struct wheel *wheel;
    const struct config *config;
    struct auth *auth;
    struct audit *audit;
    const struct ticket_keys *tickets; /* NULL: no tickets are signed */
};

/* Connects to the store; on_fatal (exit 3) only before gateway_started is true. */
struct gateway *gateway_create(const struct gateway_parts *parts,
                               void (*on_fatal)(void *ctx, const char *problem), void *ctx);
/* Called when no session is left (gateway_session_count is 0), or drainTimeout is over. */
void gateway_destroy(struct gateway **g);

/* The store has been reached once and every shard is open. */
bool gateway_started(const struct gateway *g);
/* A recovery window is open: nothing is granted. */
bool gateway_recovering(const struct gateway *g);
/* Writes the requests that wait for the end of this turn of the loop. Calls back nobody. */
void gateway_send_requests(struct gateway *g);
/* A request has waited for a quarter of redis.commandTimeout for its turn at the store: those of
 * further sessions would time out. */
bool gateway_is_busy(const struct gateway *g);
/* Why the store could not be reached, for exit 3. */
const char *gateway_store_problem(const struct gateway *g);
size_t gateway_session_count(const struct gateway *g);

/* After config_exchange: rooms and sessions get the policies of their types, and clients are told
 * those that differ. before: the configuration until now. tickets take the place of those before,
 * which may be destroyed then; NULL: none are signed. */
void gateway_reload(struct gateway *g, const struct config *before,
                    const struct ticket_keys *tickets);
/* Records in the audit how a reload of the daemon went. by: the operator; NULL: a signal. */
void gateway_record_reload(struct gateway *g, bool ok, const struct lock_operation *by);

/* Sends `server:draining` to all, with reconnect times that are spread, then closes with 1001;
 * large numbers in parts. net refuses new handshakes. by: the operator; NULL: a signal. Harmless
 * while it drains. gateway_drained: no session is left, every disconnect has succeeded and the
 * store has flushed. */
void gateway_drain(struct gateway *g, const struct lock_operation *by);
/* Takes gateway_drain back: sessions may be opened again. Harmless while it does not drain. */
void gateway_undrain(struct gateway *g, const struct lock_operation *by);
bool gateway_is_draining(const struct gateway *g);
bool gateway_drained(const struct gateway *g);
/* The last step of a stop: other instances do not count on this one any more. gateway_left: the
 * store has answered, or is away. */
void gateway_leave(struct gateway *g);
bool gateway_left(const struct gateway *g);
/* Closes the sessions that are left at once (drainTimeout is over). */
void gateway_close_all(struct gateway *g);

/* Why no locks can be granted now, for /readyz: fills in at most max texts, gives their number. The
 * texts are valid until the next call. */
size_t gateway_not_ready(const struct gateway *g, const char **reasons, size_t max);
/* Sets the gauges that are counted on demand. */
void gateway_collect_metrics(struct gateway *g);

#endif
