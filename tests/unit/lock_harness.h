/*
 * A store of the lock module on a real Redis, with what the program around it would do: the wheel
 * is advanced, events are kept, a shard that is to be resynchronised is reported from a list.
 */
#ifndef WSLOCK_TESTS_UNIT_LOCK_HARNESS_H
#define WSLOCK_TESTS_UNIT_LOCK_HARNESS_H

#include "redis_server.h"

#include "wslock/base/clock.h"
#include "wslock/base/wheel.h"
#include "wslock/lock/lock.h"

#define HARNESS_EVENTS 256

struct seen_event {
    enum lock_event_kind kind;
    enum lock_cause cause;
    enum lock_state state;
    int64_t rev, token, member_count;
    char resource[128], session[64], old_session[64], user[64];
    struct lock_ending ended; /* strings are gone */
};

/* What came back of one call. */
struct seen_result {
    int count;
    enum lock_status status;
    struct lock_result result; /* strings are gone, but for what follows */
    struct lock_ending previous, lost;
    bool resumed, joined;
    int64_t limit, member_count;
    size_t members, held_count;
    char member[8][64]; /* user ids */
    char held[4][128];
    char previous_user[64], error[128];
};

struct harness_room { /* what is reported when its shard is resynchronised */
    const char *resource;
    struct lock_report_member members[4];
    size_t count;
};

struct harness_flush {
    uv_timer_t timer;
    void (*done)(void *arg, bool ok);
    void *arg;
};

/* One instance. */
struct instance {
    struct harness *world;
    struct lock_store *store;
    struct seen_event events[HARNESS_EVENTS], settled[HARNESS_EVENTS];
    struct seen_event read_back[HARNESS_EVENTS];
    size_t event_count, settled_count, read_back_count;
    int audit_gaps, compared, comparisons;
    int degraded, recovered, resyncs, rewound, fatal, clock_steps;
    int64_t step_ms;
    char problem[256];
    struct harness_room rooms[4];
    size_t room_count;
    char superseded[64]; /* the last session that a report named */
    bool hold_reports;   /* on_resync is only counted */
};

struct harness {
    struct redis_server server;
    uv_loop_t loop;
    uv_timer_t tick;
    struct wheel *wheel;
    struct config config;
    bool no_rooms; /* an instance follows no shard when it is opened */
    struct instance a, b;
};

static inline void harness_keep_event(const struct lock_event *e, struct seen_event *list,
                                      size_t *count) {
    struct seen_event *s = &list[*count];

    assert_true(*count < HARNESS_EVENTS);
    memset(s, 0, sizeof *s);
    s->kind = e->kind;
    s->cause = e->cause;
    s->state = e->lock.state;
    s->rev = e->rev;
    s->token = e->lock.token;
    s->member_count = e->member_count;
    s->ended = e->ended;
    snprintf(s->resource, sizeof s->resource, "%.*s", (int)e->resource.len, e->resource.p);
    snprintf(s->session, sizeof s->session, "%.*s", (int)e->member.session_id.len,
             e->member.session_id.p);
    snprintf(s->old_session, sizeof s->old_session, "%.*s", (int)e->old_session_id.len,
             e->old_session_id.p);
    if (e->kind == LOCK_EVENT_LOCK) {
        snprintf(s->user, sizeof s->user, "%.*s", (int)e->lock.user_id.len, e->lock.user_id.p);
    } else {
        snprintf(s->user, sizeof s->user, "%.*s", (int)e->member.user_id.len, e->member.user_id.p);
    }
    (*count)++;
}

static inline void harness_on_event(void *ctx, const struct lock_event *event) {
    struct instance *i = ctx;

    harness_keep_event(event, i->events, &i->event_count);
}

static inline void harness_on_unasked(void *ctx, const struct lock_event *event, bool recovered) {
    struct instance *i = ctx;

    if (recovered) {
        harness_keep_event(event, i->read_back, &i->read_back_count);
    } else {
        harness_keep_event(event, i->settled, &i->settled_count);
    }
}

static inline void harness_on_audit_gap(void *ctx, unsigned shard, const char *instance,
                                        int64_t after, int64_t until) {
    struct instance *i = ctx;

    (void)shard;
    assert_true(instance[0] != '\0' && after < until);
    i->audit_gaps++;
}

static inline void harness_reconcile_begin(void *ctx) {
    ((struct instance *)ctx)->compared = 0;
}

/* Everybody is here but for sessions called "stray…". */
static inline bool harness_reconcile_member(void *ctx, struct str session_id, struct str resource) {
    struct instance *i = ctx;

    assert_true(resource.len > 0);
    i->compared++;
    return session_id.len < 5 || memcmp(session_id.p, "stray", 5) != 0;
}

static inline void harness_reconcile_end(void *ctx) {
    ((struct instance *)ctx)->comparisons++;
}

/* An audit whose disk is as fast as can be. */
static inline void harness_on_soon(uv_timer_t *timer) {
    struct harness_flush *f = timer->data;

    f->done(f->arg, true);
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
}

static inline void harness_flush(void *ctx, void (*done)(void *arg, bool ok), void *arg) {
    struct instance *i = ctx;
    struct harness_flush *f = calloc(1, sizeof *f);

    f->done = done;
    f->arg = arg;
    uv_timer_init(&i->world->loop, &f->timer);
    f->timer.data = f;
    uv_timer_start(&f->timer, harness_on_soon, 0, 0);
}

static inline void harness_on_report(void *arg, const struct lock_report_result *result) {
    struct instance *i = arg;

    for (size_t n = 0; n < result->superseded_count; n++) {
        snprintf(i->superseded, sizeof i->superseded, "%.*s", (int)result->superseded[n].len,
                 result->superseded[n].p);
    }
}

static inline void harness_on_resync(void *ctx, unsigned shard) {
    static const struct lock_report_waiting nobody_waits;
    struct instance *i = ctx;

    i->resyncs++;
    if (i->hold_reports) {
        return;
    }
    for (size_t r = 0; r < i->room_count; r++) {
        struct harness_room *room = &i->rooms[r];

        if (lock_store_shard(i->store, str_of(room->resource)) == shard) {
            lock_report(i->store, str_of(room->resource), &i->world->config.default_policy,
                        room->members, room->count, &nobody_waits, 0,
                        lock_store_fed(i->store, str_of(room->resource)), harness_on_report, i);
        }
    }
    lock_report_done(i->store, shard);
}

static inline void harness_on_rewound(void *ctx, unsigned shard) {
    (void)shard;
    ((struct instance *)ctx)->rewound++;
}
static inline void harness_on_clock_step(void *ctx, int64_t step_ms) {
    struct instance *i = ctx;

    i->clock_steps++;
    i->step_ms = step_ms;
}
static inline void harness_on_degraded(void *ctx) {
    ((struct instance *)ctx)->degraded++;
}
static inline void harness_on_recovered(void *ctx) {
    ((struct instance *)ctx)->recovered++;
}
static inline void harness_on_fatal(void *ctx, const char *problem) {
    struct instance *i = ctx;

    i->fatal++;
    snprintf(i->problem, sizeof i->problem, "%s", problem);
}

/* As if it had a room in each shard. */
static inline void harness_follow_all(struct instance *i) {
    unsigned shards = (unsigned)i->world->config.redis.shards, found = 0;

    for (unsigned n = 0; found < (1u << shards) - 1; n++) {
        char resource[64];

        snprintf(resource, sizeof resource, "followed:%u:main", n);
        if ((found & 1u << lock_store_shard(i->store, str_of(resource))) == 0) {
            found |= 1u << lock_store_shard(i->store, str_of(resource));
            lock_store_follow(i->store, str_of(resource));
        }
    }
}

static inline void harness_open(struct harness *h, struct instance *i) {
    const struct lock_store_callbacks callbacks = {.on_event = harness_on_event,
                                                   .on_unasked = harness_on_unasked,
                                                   .on_audit_gap = harness_on_audit_gap,
                                                   .flush = harness_flush,
                                                   .reconcile_begin = harness_reconcile_begin,
                                                   .reconcile_member = harness_reconcile_member,
                                                   .reconcile_end = harness_reconcile_end,
                                                   .on_resync = harness_on_resync,
                                                   .on_rewound = harness_on_rewound,
                                                   .on_clock_step = harness_on_clock_step,
                                                   .on_degraded = harness_on_degraded,
                                                   .on_recovered = harness_on_recovered,
                                                   .on_fatal = harness_on_fatal,
                                                   .ctx = i};

    memset(i, 0, sizeof *i);
    i->world = h;
    i->store = lock_store_create(&h->loop, h->wheel, &h->config, &callbacks);
    if (!h->no_rooms) {
        harness_follow_all(i);
    }
}

static inline void harness_on_tick(uv_timer_t *tick) {
    struct harness *h = tick->data;

    wheel_advance(h->wheel, clock_boot_ms());
}

static inline struct harness *harness_create(void) {
    struct harness *h = calloc(1, sizeof *h);
    struct config_policy *p = &h->config.default_policy;

    redis_server_init(&h->server);
    redis_server_start(&h->server, NULL);
    assert_int_equal(uv_loop_init(&h->loop), 0);
    h->wheel = wheel_create(clock_boot_ms());
    uv_timer_init(&h->loop, &h->tick);
    h->tick.data = h;
    uv_timer_start(&h->tick, harness_on_tick, 5, 5);
    h->config.instance = (char *)(uintptr_t) "test";
    h->config.redis.unix_path = h->server.socket;
    h->config.redis.embedded = true; /* windows may close at once */
    h->config.redis.key_prefix = (char *)(uintptr_t) "wslock";
    h->config.redis.shards = 4;
    h->config.redis.command_timeout_ms = 1000;
    h->config.redis.lease_ms = 3000;
    *p = (struct config_policy){
        .type = "default",
        .lock_ttl_ms = 60000,
        .heartbeat_interval_ms = 20000,
        .max_tab_locks = CONFIG_NO_LIMIT,
        .max_viewers = CONFIG_NO_LIMIT,
        .claim_window_ms = 30000,
        .disconnect = CONFIG_DISCONNECT_GRACE,
        .grace_period_ms = 5000,
        .idle_release_ms = CONFIG_NO_LIMIT,
        .presence_max_listed = 200,
    };
    return h;
}

static inline void harness_start(struct harness *h) {
    harness_open(h, &h->a);
    RUN_UNTIL(&h->loop, h->a.recovered == 1);
}

static inline void harness_destroy(struct harness *h) {
    lock_store_destroy(&h->a.store);
    lock_store_destroy(&h->b.store);
    wheel_destroy(&h->wheel);
    uv_close((uv_handle_t *)&h->tick, NULL);
    redis_server_close_loop(&h->loop);
    redis_server_fini(&h->server);
    free(h);
}

/* A caller called `name` (user, client and session are made of it) at a resource. */
static inline struct lock_caller harness_caller(struct harness *h, const char *name,
                                                const char *session, const char *resource) {
    return (struct lock_caller){.resource = str_of(resource),
                                .user_id = str_of(name),
                                .username = str_of(name),
                                .client_id = str_of(name),
                                .session_id = str_of(session),
                                .policy = &h->config.default_policy};
}

static inline void harness_on_result(void *arg, const struct lock_result *result) {
    struct seen_result *seen = arg;

    seen->count++;
    seen->status = result->status;
    seen->result = *result;
    snprintf(seen->error, sizeof seen->error, "%s", result->error ? result->error : "");
}

static inline void harness_on_acquire(void *arg, const struct lock_acquire_result *result) {
    struct seen_result *seen = arg;

    seen->resumed = result->resumed;
    seen->previous = result->previous;
    seen->limit = result->limit;
    seen->held_count = result->held_count;
    for (size_t i = 0; i < result->held_count && i < 4; i++) {
        snprintf(seen->held[i], sizeof seen->held[i], "%.*s", (int)result->held[i].len,
                 result->held[i].p);
    }
    snprintf(seen->previous_user, sizeof seen->previous_user, "%.*s",
             (int)result->previous.user_id.len,
             result->previous.user_id.p ? result->previous.user_id.p : "");
    harness_on_result(arg, &result->common);
}

static inline void harness_on_join(void *arg, const struct lock_join_result *result) {
    struct seen_result *seen = arg;

    seen->joined = result->joined;
    seen->lost = result->lost;
    seen->member_count = result->snapshot.member_count;
    seen->members = result->snapshot.member_listed;
    for (size_t i = 0; i < seen->members && i < 8; i++) {
        const struct lock_member *m = &result->snapshot.members[i];

        snprintf(seen->member[i], sizeof seen->member[i], "%.*s", (int)m->user_id.len,
                 m->user_id.p);
    }
    harness_on_acquire(arg, &result->acquire);
}

static inline void harness_on_heartbeat(void *arg, const struct lock_heartbeat_result *result) {
    struct seen_result *seen = arg;

    seen->resumed = result->resumed;
    seen->lost = result->lost;
    harness_on_result(arg, &result->common);
}

/* Runs one call to its end: CALL(h, &seen, lock_leave(h->a.store, &caller, CB, &seen)) */
#define CALL(h, seen, call)                                                                        \
    do {                                                                                           \
        memset((seen), 0, sizeof *(seen));                                                         \
        call;                                                                                      \
        assert_int_equal((seen)->count, 0);                                                        \
        RUN_UNTIL(&(h)->loop, (seen)->count == 1);                                                 \
    } while (0)
#define CB harness_on_result
#define ACQUIRE_CB harness_on_acquire
#define JOIN_CB harness_on_join
#define HEARTBEAT_CB harness_on_heartbeat

static inline const struct seen_event *harness_find(const struct instance *i,
                                                    enum lock_cause cause) {
    for (size_t n = i->event_count; n > 0; n--) {
        if (i->events[n - 1].kind == LOCK_EVENT_LOCK && i->events[n - 1].cause == cause) {
            return &i->events[n - 1];
        }
    }
    return NULL;
}

#endif
