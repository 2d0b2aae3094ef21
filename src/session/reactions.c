/* What the store and the rooms tell the gateway, and what follows for the sessions. */
#include "reactions.h"

#include <stdio.h>

#include "audit.h"
#include "audit_events.h"
#include "end.h"
#include "membership.h"
#include "open.h"
#include "reconcile.h"
#include "registry.h"
#include "send.h"
#include "wslock/base/log.h"

void reactions_on_superseded(void *ctx, struct str session_id) {
    struct gateway *g = ctx;
    struct session *s = map_get(g->sessions, session_id);
    if (s != NULL) {
        session_close(s, WIRE_CLOSE_SUPERSEDED);
    }
}

static void on_event(void *ctx, const struct lock_event *event) {
    struct gateway *g = ctx;
    if (event->kind == LOCK_EVENT_JOIN && event->old_session_id.len > 0) {
        reactions_on_superseded(g, event->old_session_id);
    }
    rooms_on_event(g->rooms, event);
}

void reactions_on_reported(void *ctx, const struct lock_result *result) {
    session_audit_reported(ctx, result);
}

static void on_unasked(void *ctx, const struct lock_event *event, bool recovered) {
    struct gateway *g = ctx;
    if (recovered) {
        session_audit_recovered(g, event);
    } else {
        session_audit_event(g, NULL, event);
    }
}

static void on_audit_gap(void *ctx, unsigned shard, const char *instance, int64_t after,
                         int64_t until) {
    char detail[200];
    snprintf(detail, sizeof detail,
             "shard %u: changes by instance %s between %lld-0 and %lld-0 may be missing: the store "
             "had no more room for them",
             shard, instance, (long long)after, (long long)until);
    session_audit_simple(ctx, AUDIT_AUDIT_GAP, false, NULL, detail);
}

static void flush(void *ctx, void (*done)(void *arg, bool ok), void *arg) {
    struct gateway *g = ctx;
    audit_sync(g->parts.audit, done, arg);
}

static void on_resync(void *ctx, unsigned shard) {
    struct gateway *g = ctx;
    rooms_resync(g->rooms, shard);
}

struct rewind {
    struct gateway *gateway;
    unsigned shard;
};

static void close_rewound(void *ctx, struct str id, void *value) {
    (void)id;
    const struct rewind *rewind = ctx;
    struct session *s = value;
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        if (lock_store_shard(rewind->gateway->store, wire_resource_str(&m->resource)) ==
            rewind->shard) {
            session_close(s, WIRE_CLOSE_GOING_AWAY);
            return;
        }
    }
}

/* Clients drop messages below the rev that they know. On a new connection they know none. */
static void on_rewound(void *ctx, unsigned shard) {
    struct gateway *g = ctx;
    struct rewind rewind = {g, shard};
    rooms_rewind(g->rooms, shard);
    map_each(g->sessions, close_rewound, &rewind);
}

static void move_deadlines(void *ctx, struct str id, void *value) {
    (void)id;
    struct session *s = value;
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        m->expires_ms += m->token != 0 ? *(int64_t *)ctx : 0;
    }
}

/* Clients compute the time left as expiresAt - serverTime, so a step does not affect them. */
static void on_clock_step(void *ctx, int64_t step_ms) {
    struct gateway *g = ctx;
    map_each(g->sessions, move_deadlines, &step_ms);
    rooms_on_clock_step(g->rooms, step_ms);
    char detail[96];
    snprintf(detail, sizeof detail, "the store's clock was set %s by %lld ms",
             step_ms < 0 ? "back" : "forward", (long long)(step_ms < 0 ? -step_ms : step_ms));
    session_audit_simple(g, AUDIT_STORE_RECOVERED, false, "CLOCK_STEPPED", detail);
}

static void send_degraded(void *ctx, struct str id, void *value) {
    (void)ctx;
    (void)id;
    session_send_degraded(value);
}

static void send_degraded_again(void *ctx, struct str id, void *value) {
    (void)ctx;
    (void)id;
    if (session_is_unconfirmed(value)) {
        session_send_degraded(value);
    }
}

static void on_degraded(void *ctx) {
    struct gateway *g = ctx;
    rooms_on_degraded(g->rooms);
    if (g->degraded) { /* more of the store: these holders were told no time yet */
        map_each(g->sessions, send_degraded_again, NULL);
        return;
    }
    g->degraded = true;
    log_warn("store_lost", LF("problem", lock_store_problem(g->store)));
    session_audit_simple(g, AUDIT_STORE_LOST, true, lock_store_problem(g->store), NULL);
    map_each(g->sessions, send_degraded, NULL);
}

static void send_recovered(void *ctx, struct str id, void *value) {
    (void)ctx;
    (void)id;
    struct session *s = value;
    if (s->state != SESSION_READY) {
        return;
    }
    struct wire_to to = session_to(NULL, NULL);
    session_send(s, wire_recovered(&to));
}

static void on_recovered(void *ctx) {
    struct gateway *g = ctx;
    g->started = true;
    if (!g->degraded) {
        return;
    }
    g->degraded = false;
    log_info("store_recovered");
    session_audit_simple(g, AUDIT_STORE_RECOVERED, false, NULL, NULL);
    map_each(g->sessions, send_recovered, NULL);
}

static void on_fatal(void *ctx, const char *problem) {
    struct gateway *g = ctx;
    g->on_fatal(g->on_fatal_ctx, problem);
}

struct lock_store_callbacks reactions_to_store(struct gateway *g) {
    return (struct lock_store_callbacks){
        .on_event = on_event,
        .on_unasked = on_unasked,
        .on_audit_gap = on_audit_gap,
        .flush = flush,
        .reconcile_begin = session_reconcile_begin,
        .reconcile_member = session_reconcile_member,
        .reconcile_end = session_reconcile_end,
        .on_resync = on_resync,
        .on_rewound = on_rewound,
        .on_clock_step = on_clock_step,
        .on_degraded = on_degraded,
        .on_recovered = on_recovered,
        .on_fatal = on_fatal,
        .ctx = g,
    };
}
