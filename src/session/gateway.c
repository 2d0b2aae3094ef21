/* What the sessions share, and the store's news for them. */
#include "private.h"

#include <stdio.h>

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

struct user_count {
    size_t connections;
};

static struct str id_of(const char *text) {
    return str_of(text);
}

struct session *gateway_session(struct gateway *g, const char *id) {
    return map_get(g->sessions, id_of(id));
}

static void on_event(void *ctx, const struct lock_event *event) {
    struct gateway *g = ctx;
    if (event->kind == LOCK_EVENT_JOIN && event->old_session_id.len > 0) {
        struct session *old = map_get(g->sessions, event->old_session_id);
        if (old)
            session_close(old, WIRE_CLOSE_SUPERSEDED);
    }
    rooms_on_event(g->rooms, event);
}

static void on_reported(void *ctx, const struct lock_result *result) {
    struct gateway *g = ctx;
    for (size_t i = 0; i < result->event_count; i++)
        if (!trail_is_restored(&result->events[i]))
            trail_event(g, NULL, &result->events[i]);
    for (size_t i = 0; i < result->held_count; i++) { /* a report: these have been superseded */
        struct session *s = map_get(g->sessions, result->held[i]);
        if (s)
            session_close(s, WIRE_CLOSE_SUPERSEDED);
    }
}

static void on_unasked(void *ctx, const struct lock_event *event, bool recovered) {
    struct gateway *g = ctx;
    if (recovered)
        trail_recovered(g, event);
    else
        trail_event(g, NULL, event);
}

static void on_audit_gap(void *ctx, unsigned shard, const char *instance, int64_t after,
                         int64_t until) {
    char detail[200];
    snprintf(detail, sizeof detail,
             "shard %u: changes by instance %s between %lld-0 and %lld-0 may be missing: the store "
             "had no more room for them",
             shard, instance, (long long)after, (long long)until);
    trail_gap(ctx, detail);
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
    LIST_FOREACH_SAFE(it, tmp, &s->memberships) {
        struct membership *m = CONTAINER_OF(it, struct membership, node);
        if (lock_store_shard(rewind->gateway->store, wire_resource_str(&m->resource)) ==
            rewind->shard) {
            session_close(s, WIRE_CLOSE_GOING_AWAY);
            return;
        }
    }
}

/* Clients drop what has a lower rev than they know. On a new connection they know none. */
static void on_rewound(void *ctx, unsigned shard) {
    struct gateway *g = ctx;
    struct rewind rewind = {g, shard};
    rooms_rewind(g->rooms, shard);
    map_each(g->sessions, close_rewound, &rewind);
}

static void move_deadlines(void *ctx, struct str id, void *value) {
    (void)id;
    struct session *s = value;
    LIST_FOREACH_SAFE(it, tmp, &s->memberships) {
        struct membership *m = CONTAINER_OF(it, struct membership, node);
        m->expires_ms += m->token != 0 ? *(int64_t *)ctx : 0;
    }
}

/* Clients count from when they asked, and do not see it. */
static void on_clock_step(void *ctx, int64_t step_ms) {
    struct gateway *g = ctx;
    map_each(g->sessions, move_deadlines, &step_ms);
    rooms_on_clock_step(g->rooms, step_ms);
    char detail[96];
    snprintf(detail, sizeof detail, "the store's clock was set %s by %lld ms",
             step_ms < 0 ? "back" : "forward", (long long)(step_ms < 0 ? -step_ms : step_ms));
    trail_simple(g, AUDIT_STORE_RECOVERED, false, "CLOCK_STEPPED", detail);
}

static void tell_degraded(void *ctx, struct str id, void *value) {
    (void)ctx;
    (void)id;
    session_tell_degraded(value);
}

static void on_degraded(void *ctx) {
    struct gateway *g = ctx;
    rooms_on_degraded(g->rooms); /* also those that had been told already that it is back */
    if (g->degraded)
        return;
    g->degraded = true;
    log_warn("store_lost", LF("problem", lock_store_problem(g->store)));
    trail_simple(g, AUDIT_STORE_LOST, true, lock_store_problem(g->store), NULL);
    map_each(g->sessions, tell_degraded, NULL);
}

static void tell_recovered(void *ctx, struct str id, void *value) {
    (void)ctx;
    (void)id;
    struct session *s = value;
    if (s->state != SESSION_READY)
        return;
    struct wire_to to = session_to(s, NULL, NULL);
    session_send(s, wire_recovered(&to));
}

static void on_recovered(void *ctx) {
    struct gateway *g = ctx;
    g->started = true;
    if (!g->degraded)
        return;
    g->degraded = false;
    log_info("store_recovered");
    trail_simple(g, AUDIT_STORE_RECOVERED, false, NULL, NULL);
    map_each(g->sessions, tell_recovered, NULL);
}

static void on_fatal(void *ctx, const char *problem) {
    struct gateway *g = ctx;
    g->on_fatal(g->on_fatal_ctx, problem);
}

struct gateway *gateway_create(const struct gateway_parts *parts,
                               void (*fatal)(void *ctx, const char *problem), void *ctx) {
    struct gateway *g = mem_zalloc(sizeof *g);
    g->parts = *parts;
    g->parts.config = config_ref(parts->config);
    g->on_fatal = fatal;
    g->on_fatal_ctx = ctx;
    g->sessions = map_create();
    g->user_count = map_create();
    list_init(&g->farewells);
    list_init(&g->owed);
    list_init(&g->terminations);
    char id[RAND_ID_LEN + 1];
    rand_id(id);
    memcpy(g->ref_prefix, id, sizeof g->ref_prefix - 1);
    struct lock_store_callbacks callbacks = {
        .on_event = on_event,
        .on_unasked = on_unasked,
        .on_audit_gap = on_audit_gap,
        .flush = flush,
        .compare_begin = comparison_begin,
        .compare_member = comparison_member,
        .compare_end = comparison_end,
        .on_resync = on_resync,
        .on_rewound = on_rewound,
        .on_clock_step = on_clock_step,
        .on_degraded = on_degraded,
        .on_recovered = on_recovered,
        .on_fatal = on_fatal,
        .ctx = g,
    };
    g->store = lock_store_create(parts->loop, parts->wheel, parts->config, &callbacks);
    g->rooms = rooms_create(parts->wheel, g->store, on_reported, g);
    return g;
}

static void free_session(void *ctx, struct str id, void *value) {
    (void)ctx;
    (void)id;
    session_free(value);
}

static void free_count(void *ctx, struct str id, void *value) {
    (void)ctx;
    (void)id;
    mem_free(value);
}

void gateway_destroy(struct gateway **gateway) {
    struct gateway *g = *gateway;
    if (!g)
        return;
    map_each(g->sessions, free_session, NULL);
    farewell_stop_all(g);
    takeover_forget_all(g);
    operate_forget_all(g);
    lock_store_destroy(&g->store);
    rooms_destroy(&g->rooms);
    map_destroy(&g->sessions);
    map_each(g->user_count, free_count, NULL);
    map_destroy(&g->user_count);
    config_unref(&g->parts.config);
    mem_free(g);
    *gateway = NULL;
}

bool gateway_started(const struct gateway *g) {
    return g->started;
}

bool gateway_recovering(const struct gateway *g) {
    return lock_store_window_open(g->store);
}

const char *gateway_store_problem(const struct gateway *g) {
    return lock_store_problem(g->store);
}

size_t gateway_session_count(const struct gateway *g) {
    return map_count(g->sessions);
}

bool gateway_count_user(struct gateway *g, const char *user_id) {
    struct user_count *count = map_get(g->user_count, str_of(user_id));
    if (!count) {
        count = mem_zalloc(sizeof *count);
        map_set(g->user_count, str_of(user_id), count);
    }
    if ((int64_t)count->connections >= g->parts.config->limits.max_connections_per_user)
        return false;
    count->connections++;
    return true;
}

void gateway_uncount_user(struct gateway *g, const char *user_id) {
    struct user_count *count = map_get(g->user_count, str_of(user_id));
    if (count && --count->connections == 0)
        mem_free(map_remove(g->user_count, str_of(user_id)));
}

void gateway_make_ref(struct gateway *g, char out[32]) {
    snprintf(out, 32, "%s-%llx", g->ref_prefix, (unsigned long long)++g->ref_counter);
}

struct drain {
    struct gateway *gateway;
    uint64_t spread_ms;
};

static void drain_session(void *ctx, struct str id, void *value) {
    (void)id;
    struct drain *drain = ctx;
    struct session *s = value;
    if (s->state == SESSION_AUTH || s->state == SESSION_READY) {
        struct wire_to to = session_to(s, NULL, NULL);
        session_send(s, wire_draining(&to, (int64_t)rand_below(drain->spread_ms) + 1));
    }
    session_close(s, WIRE_CLOSE_GOING_AWAY);
}

/* Clients come back within less than half of the shortest grace (architecture, shutdown). */
static uint64_t drain_spread_ms(const struct config *c) {
    int64_t shortest = c->default_policy.grace_period_ms;
    for (size_t i = 0; i < c->type_count; i++)
        if (c->types[i].grace_period_ms < shortest)
            shortest = c->types[i].grace_period_ms;
    return shortest > 4 ? (uint64_t)shortest / 2 - 1 : 1;
}

void gateway_drain(struct gateway *g) {
    if (g->draining)
        return;
    g->draining = true;
    trail_simple(g, AUDIT_DRAIN_STARTED, false, NULL, NULL);
    struct drain drain = {g, drain_spread_ms(g->parts.config)};
    map_each(g->sessions, drain_session, &drain);
}

bool gateway_drained(const struct gateway *g) {
    return map_count(g->sessions) == 0 && farewells_settled(g) && lock_store_flushed(g->store);
}

/* With the cause, as far as it is known; until the next call. */
static const char *store_reason(const struct gateway *g, const char *what) {
    static char text[1024];
    const char *problem = lock_store_problem(g->store);
    snprintf(text, sizeof text, "%s%s%s", what, problem ? ": " : "", problem ? problem : "");
    return text;
}

size_t gateway_not_ready(const struct gateway *g, const char **reasons, size_t max) {
    const char *found[6];
    size_t n = 0;
    uint64_t since = lock_store_down_since_boot_ms(g->store);
    if (!g->started)
        found[n++] = store_reason(g, "the store has not been reached yet");
    else if (since && clock_boot_ms() - since > (uint64_t)g->parts.config->ops.ready_grace_ms)
        found[n++] = store_reason(g, "the store is away");
    if (lock_store_window_open(g->store))
        found[n++] = "a recovery window is open";
    if (g->draining)
        found[n++] = "draining";
    if (!auth_ready(g->parts.auth))
        found[n++] = "no key to verify tokens with";
    if (trail_stops_all(g))
        found[n++] = "the audit cannot be written";
    if (n > max)
        n = max;
    memcpy(reasons, found, n * sizeof *found);
    return n;
}

void gateway_collect_metrics(struct gateway *g) {
    metrics_set(METRIC_CONNECTIONS, (double)map_count(g->sessions), "native", NULL);
    rooms_collect_metrics(g->rooms);
}

enum auth_result gateway_verify(struct gateway *g, struct str token,
                                struct auth_identity **identity, const char **why) {
    return auth_verify(g->parts.auth, token, clock_wall_ms(), identity, why);
}

void gateway_audit_refused(struct gateway *g, bool auth_failed, const struct session_peer *peer,
                           const char *reason, struct str origin) {
    static struct log_limit limit;
    if (log_limit_pass(&limit, 60))
        log_info("handshake_refused", LF("reason", reason), LFS("address", peer->address),
                 LFS("origin", origin));
    struct audit_record r = {
        .action = auth_failed ? AUDIT_AUTH_FAILED : AUDIT_ACCESS_DENIED,
        .failure = true,
        .reason = str_of(reason),
        .address = peer->address,
        .user_agent = peer->user_agent,
        .detail = origin,
        .held_ms = -1,
        .previous_dirty = -1,
    };
    audit_write(g->parts.audit, &r);
}
