/* The gateway: its beginning and end, its drain, and what others ask of it. */
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "delayed_replies.h"
#include "disconnect.h"
#include "end.h"
#include "key_wait.h"
#include "listing.h"
#include "membership.h"
#include "operate.h"
#include "queue.h"
#include "reactions.h"
#include "registry.h"
#include "send.h"
#include "wslock/base/clock.h"
#include "wslock/metrics/metrics.h"

#define DRAIN_PART_US 5000 /* of a turn of the loop */

static void on_keys_fetched(void *ctx) {
    key_wait_retry_all(ctx);
}

struct gateway *gateway_create(const struct gateway_parts *parts,
                               void (*on_fatal)(void *ctx, const char *problem), void *ctx) {
    struct gateway *g = registry_create(parts);
    session_init_closed_metric();
    g->on_fatal = on_fatal;
    g->on_fatal_ctx = ctx;
    struct lock_store_callbacks callbacks = reactions_to_store(g);
    g->store = lock_store_create(parts->loop, parts->wheel, parts->config, &callbacks);
    g->rooms =
        rooms_create(parts->wheel, g->store, reactions_on_reported, reactions_on_superseded, g);
    auth_watch_keys(parts->auth, on_keys_fetched, g);
    return g;
}

static void free_session(void *ctx, struct str id, void *value) {
    (void)ctx;
    (void)id;
    session_free(value);
}

void gateway_destroy(struct gateway **gateway) {
    struct gateway *g = *gateway;
    if (g == NULL) {
        return;
    }
    auth_watch_keys(g->parts.auth, NULL, NULL);
    wheel_cancel(&g->drain_timer);
    map_each(g->sessions, free_session, NULL);
    key_wait_fini(g);
    disconnect_stop_all(g);
    delayed_replies_forget(g);
    operate_forget_all(g);
    listings_forget(g);
    lock_store_destroy(&g->store);
    rooms_destroy(&g->rooms);
    registry_destroy(g);
    *gateway = NULL;
}

static void find_types(void *ctx, struct str id, void *value) {
    struct gateway *g = ctx;
    struct session *s = value;
    (void)id;
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        const struct config_resource_type *type =
            config_types_find(g->types, wire_resource_type(&m->resource));
        if (type != NULL) {
            m->type = type;
        }
    }
}

void gateway_reload(struct gateway *g, const struct config *before,
                    const struct ticket_keys *tickets) {
    g->parts.tickets = tickets;
    config_types_reload(g->types);
    map_each(g->sessions, find_types, g);
    rooms_reload(g->rooms, g->types, before);
    key_wait_retry_all(g);
}

bool gateway_started(const struct gateway *g) {
    return g->started;
}

bool gateway_recovering(const struct gateway *g) {
    return lock_store_window_open(g->store);
}

void gateway_send_requests(struct gateway *g) {
    lock_store_send(g->store);
}

bool gateway_is_busy(const struct gateway *g) {
    return lock_store_is_busy(g->store);
}

const char *gateway_store_problem(const struct gateway *g) {
    return lock_store_problem(g->store);
}

static void drain_session(void *ctx, struct str id, void *value) {
    (void)id;
    struct gateway *g = ctx;
    struct session *s = value;
    if (session_is_open(s) && session_takes_events(s)) {
        struct wire_to to = session_to(NULL, NULL);
        session_send(s, wire_draining(&to, (int64_t)rand_below(g->drain_spread_ms) + 1));
    }
    session_close(s, WIRE_CLOSE_GOING_AWAY);
}

/* Clients return within half of the shortest grace. */
static uint64_t drain_spread_ms(const struct config *c) {
    int64_t shortest = c->default_policy.grace_period_ms;
    for (size_t i = 0; i < c->type_count; i++) {
        if (c->types[i].grace_period_ms < shortest) {
            shortest = c->types[i].grace_period_ms;
        }
    }
    return shortest > 4 ? (uint64_t)shortest / 2 - 1 : 1;
}

/* No session is added while the gateway drains. */
static void drain_part(struct wheel_timer *timer) {
    struct gateway *g = CONTAINER_OF(timer, struct gateway, drain_timer);
    uint64_t begin_us = clock_boot_us();
    do {
        g->drain_cursor = map_scan(g->sessions, g->drain_cursor, drain_session, g);
    } while (g->drain_cursor != 0 && clock_boot_us() - begin_us < DRAIN_PART_US);
    if (g->drain_cursor != 0) {
        wheel_set(g->parts.wheel, &g->drain_timer, 0, drain_part);
    }
}

void gateway_drain(struct gateway *g, const struct lock_operation *by) {
    if (g->draining) {
        return;
    }
    g->draining = true;
    session_audit_operated(g, AUDIT_DRAIN_STARTED, false, by);
    g->drain_spread_ms = drain_spread_ms(g->parts.config);
    g->drain_cursor = 0;
    drain_part(&g->drain_timer);
}

void gateway_undrain(struct gateway *g, const struct lock_operation *by) {
    if (!g->draining) {
        return;
    }
    g->draining = false;
    wheel_cancel(&g->drain_timer);
    session_audit_operated(g, AUDIT_DRAIN_ENDED, false, by);
}

bool gateway_is_draining(const struct gateway *g) {
    return g->draining;
}

bool gateway_drained(const struct gateway *g) {
    return map_count(g->sessions) == 0 && disconnects_settled(g) && lock_store_flushed(g->store);
}

void gateway_leave(struct gateway *g) {
    lock_store_give_up_leases(g->store);
}

bool gateway_left(const struct gateway *g) {
    return lock_store_leases_given_up(g->store);
}

/* Also tells those that the drain has not reached. */
static void close_now(void *ctx, struct str id, void *value) {
    struct session *s = value;
    drain_session(ctx, id, s);
    session_queue_clear(s);
    s->transport->close(s->conn, wire_close_code(s->close), wire_close_reason(s->close));
}

void gateway_close_all(struct gateway *g) {
    map_each(g->sessions, close_now, g);
}

/* With the store's problem, if it has one; valid until the next call. */
static const char *store_reason(const struct gateway *g, const char *what) {
    static char text[1024];
    const char *problem = lock_store_problem(g->store);
    snprintf(text, sizeof text, "%s%s%s", what, problem != NULL ? ": " : "",
             problem != NULL ? problem : "");
    return text;
}

size_t gateway_not_ready(const struct gateway *g, const char **reasons, size_t max) {
    const char *found[6];
    size_t n = 0;
    uint64_t since = lock_store_down_since_boot_ms(g->store);
    if (!g->started) {
        found[n++] = store_reason(g, "the store has not been reached yet");
    } else if (since && clock_boot_ms() - since > (uint64_t)g->parts.config->ops.ready_grace_ms) {
        found[n++] = store_reason(g, "the store is away");
    }
    if (lock_store_window_open(g->store)) {
        found[n++] = "a recovery window is open";
    }
    if (g->draining) {
        found[n++] = "draining";
    }
    const char *keys = auth_not_ready(g->parts.auth);
    if (keys != NULL) {
        found[n++] = keys;
    }
    if (session_audit_stops_all(g)) {
        found[n++] = "the audit cannot be written";
    }
    if (n > max) {
        n = max;
    }
    memcpy(reasons, found, n * sizeof *found);
    return n;
}

void gateway_collect_metrics(struct gateway *g) {
    for (int i = 0; i < WIRE_FRAMING_COUNT; i++) {
        metrics_set(METRIC_CONNECTIONS, (double)g->framing_count[i],
                    wire_framing_name((enum wire_framing)i), NULL);
    }
    rooms_collect_metrics(g->rooms);
    audit_collect_metrics(g->parts.audit);
}
