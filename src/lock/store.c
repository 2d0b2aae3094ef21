/* Life of the store, the way of a script call, and the store as a whole being up or away. */
#include "store_private.h"

#include <stdio.h>

#include "wslock/base/buf.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#define STEP_MIN_MS 2000 /* lock-states.md: what counts as a step of the store's clock */

/* ---- one script call ---- */

void args_not_after(struct script_args *a, const struct lock_store *store) {
    bool known = store->clock.at_ms != 0;

    args_int(a, known ? lock_store_now_ms(store) + store->config->redis.command_timeout_ms : 0);
}

static void clock_stepped(struct lock_store *store, int64_t step_ms) {
    log_warn("store_clock_stepped", LFI("step_ms", step_ms));
    metrics_add(METRIC_STORE_CLOCK_STEPS, 1, NULL, NULL);
    for (unsigned i = 0; i < store->shard_count; i++) {
        shard_note_step(&store->shards[i], step_ms);
    }
    store->callbacks.on_clock_step(store->callbacks.ctx, step_ms);
}

/* The store looked at its clock at some time between call and reply, so that only what lies outside
 * of both is a step. */
static int64_t step_since(const struct clock_reading *then, const struct clock_reading *now) {
    int64_t passed = now->store_ms - then->store_ms;
    int64_t least = (int64_t)now->asked_ms - (int64_t)then->at_ms;
    int64_t most = (int64_t)now->at_ms - (int64_t)then->asked_ms;

    if (then->at_ms == 0) {
        return 0;
    }
    return passed > most + STEP_MIN_MS    ? passed - most
           : passed < least - STEP_MIN_MS ? passed - least
                                          : 0;
}

/* Holds the store's time against our own, since the reply before and, so that small steps add up,
 * since one about an interval of lease renewal ago. */
static void note_clock(struct lock_store *store, uint64_t asked_ms, int64_t now_ms) {
    const struct clock_reading now = {now_ms, asked_ms, clock_boot_ms()};
    int64_t step = step_since(&store->clock, &now);

    if (step == 0) {
        step = step_since(&store->clock_before, &now);
    }
    store->clock = now;
    if (step != 0 ||
        now.at_ms - store->clock_before.at_ms >= (uint64_t)store->config->redis.lease_ms / 3) {
        store->clock_before = now;
    }
    if (step != 0 && !store->closing) {
        clock_stepped(store, step);
    }
}

static void log_unknown(const struct shard *s, const char *error) {
    static struct log_limit limit;

    if (log_limit_pass(&limit, 10)) {
        log_error("store_doubt", LFI("shard", s->index), LF("error", error));
    }
}

/* Fills result->status from what came back. True: the reply was one of our scripts'. */
static bool read_reply(const struct script_call *call, const struct redis_reply *reply,
                       struct script_head *head, struct lock_result *result) {
    static const char *const errors[] = {[SCRIPT_LATE] = "arrived too late",
                                         [SCRIPT_SHARDS] = "laid out for other shards",
                                         [SCRIPT_SCHEMA] = "laid out under another schema",
                                         [SCRIPT_AHEAD] = "reported tick too far ahead"};

    struct shard *s = call->shard;
    struct str packed;

    if (!redis_reply_str(reply, &packed) ||
        !script_reply_decode(packed, &s->store->scratch, head, result)) {
        memset(head, 0, sizeof *head);
        memset(result, 0, sizeof *result);
        result->status = LOCK_UNKNOWN;
        result->error = "malformed reply";
        return false;
    }
    shard_note(s, head);
    note_clock(s->store, call->begin_us / 1000, head->now_ms);
    audit_recovery_note(s, head, result);
    if (head->status != SCRIPT_OK) {
        result->status = LOCK_UNAVAILABLE;
        result->error = errors[head->status];
    }
    return true;
}

/* A replica now, which it may stay for good while the address leads to another already. The watch
 * would find that out too, but later. */
static bool is_no_master(const char *error) {
    return strncmp(error, "READONLY ", 9) == 0 || strncmp(error, "MASTERDOWN ", 11) == 0;
}

static void on_script(void *arg, enum redis_status status, const struct redis_reply *reply,
                      const char *error) {
    struct script_call *call = arg;
    struct shard *s = call->shard;
    struct lock_store *store = s->store;
    struct script_head head = {0};
    struct lock_result result = {.error = error};
    const char *unknown = NULL;
    bool changes;

    if (status == REDIS_OK || status == REDIS_REFUSED) {
        metrics_observe(METRIC_STORE_SECONDS, (double)(clock_boot_us() - call->begin_us) / 1e6,
                        NULL);
    }
    switch (status) {
    case REDIS_OK:
        unknown = read_reply(call, reply, &head, &result) ? NULL : "malformed reply";
        break;
    case REDIS_UNSENT:
    case REDIS_REFUSED:
        result.status = LOCK_UNAVAILABLE;
        break;
    case REDIS_UNKNOWN:
        result.status = LOCK_UNKNOWN;
        unknown = "unknown outcome";
        break;
    }
    if (result.status == LOCK_UNKNOWN && call->changes) {
        audit_recovery_note_unknown(s);
    }
    if (result.status != LOCK_OK && status != REDIS_UNSENT) {
        watch_keep_problem(s->problem, result.error);
    }
    for (size_t i = 0; i < result.event_count; i++) {
        endings_note(s, &result.events[i]);
    }
    changes = call->changes;
    s->calls_open -= changes;
    call->done(call, &head, &result);
    mem_free(call);
    if (store->closing) {
        return;
    }
    feed_take_reply(s, &result);
    if (status == REDIS_REFUSED) {
        if (is_no_master(error)) {
            store_leave_server(store, error);
        }
    } else if (unknown && redis_link_is_up(store->link)) {
        log_unknown(s, error ? error : unknown);
        if (changes) {
            shard_resync(s, unknown);
        }
    } else {
        shard_check_window(s);
    }
}

static struct script_call *make_call(struct shard *s, bool changes, script_done done, lock_cb cb,
                                     void *arg) {
    struct script_call *call = mem_alloc(sizeof *call);

    s->calls_open += changes;
    *call = (struct script_call){.shard = s,
                                 .changes = changes,
                                 .done = done,
                                 .cb = cb,
                                 .arg = arg,
                                 .begin_us = clock_boot_us(),
                                 .round = s->round};
    return call;
}

void script_send(struct shard *s, const struct redis_script *script, struct script_args *a,
                 script_done done, lock_cb cb, void *arg) {
    struct lock_store *store = s->store;

    const struct str argv[] = {args_packed(a), str_of(store->incarnation)};

    bool closes = script == &lock_script_lease || script == &lock_script_report_done;
    bool changes = script != &lock_script_open &&
                   (!closes || s->window != 0); /* what a window's closing ends */
    struct script_call *call = make_call(s, changes, done, cb, arg);

    redis_link_eval(store->link, script, a->key_count, a->keys, ARRAY_LEN(argv), argv,
                    (uint64_t)store->config->redis.command_timeout_ms, on_script, call);
}

void script_decline(struct shard *s, const char *why, script_done done, lock_cb cb, void *arg) {
    redis_link_decline(s->store->link, why, on_script, make_call(s, false, done, cb, arg));
}

/* ---- up and away ---- */

void store_set_problem(struct lock_store *store, const char *problem) {
    struct buf b;

    buf_init(&b);
    buf_printf(&b, "%s: %s", redis_link_target(store->link), problem);
    mem_free(store->problem);
    store->problem = mem_strdup(buf_cstr(&b));
    buf_fini(&b);
}

void store_mark_away(struct lock_store *store, const char *reason) {
    store_set_problem(store, reason);
    reconcile_stop(store);
    for (unsigned i = 0; i < store->shard_count; i++) {
        shard_away(&store->shards[i]);
    }
    if (store->up) {
        store->up = false;
        store->down_since_ms = clock_boot_ms();
        metrics_set(METRIC_STORE_UP, 0, NULL, NULL);
    }
    if (store->been_up) { /* again also where not every shard had been served since the last loss */
        store->callbacks.on_degraded(store->callbacks.ctx);
    }
}

void store_open(struct lock_store *store) {
    /* No change reaches a client but by the feed: without it nothing is served. */
    if (!redis_link_is_up(store->link) || !watch_fits(store) ||
        (feed_is_positioned(store) && store->feed.away_since_ms != 0)) {
        return;
    }
    for (unsigned i = 0; i < store->shard_count; i++) {
        if (store->shards[i].state == SHARD_AWAY) {
            shard_open(&store->shards[i]);
        }
    }
}

void store_leave_server(struct lock_store *store, const char *why) {
    store_set_problem(store, why);
    if (clock_boot_ms() - store->watch.from_ms >= LOCK_RETRY_MS) {
        redis_link_reset(store->link, why);
    }
}

void store_unusable(struct lock_store *store, const char *problem) {
    store_leave_server(store, problem);
    if (!store->been_up && !store->fatal) {
        store->fatal = true;
        store->callbacks.on_fatal(store->callbacks.ctx, problem);
    }
}

void lock_store_check_lease(struct lock_store *store) {
    for (unsigned i = 0; store->up && i < store->shard_count; i++) {
        if (!shard_is_leased(&store->shards[i])) {
            store_mark_away(store, "the lease has lapsed");
            store_open(store);
        }
    }
}

void store_check_recovered(struct lock_store *store) {
    if (store->up || !watch_fits(store) || store->feed.away_since_ms != 0) {
        return;
    }
    for (unsigned i = 0; i < store->shard_count; i++) {
        if (store->shards[i].state != SHARD_SERVING) {
            return;
        }
    }
    store->up = store->been_up = true;
    store->down_since_ms = 0;
    mem_free(store->problem);
    store->problem = NULL;
    metrics_set(METRIC_STORE_UP, 1, NULL, NULL);
    store->callbacks.on_recovered(store->callbacks.ctx);
    reconcile_begin(store);
}

/* ---- the command link ---- */

static void on_up(void *ctx) {
    struct lock_store *store = ctx;

    watch_link_up(store);
}

static void on_down(void *ctx, const char *reason) {
    struct lock_store *store = ctx;

    watch_link_down(store);
    store_mark_away(store, reason);
    redis_link_reset(store->feed.link, "the other connection was lost"); /* as out of date */
}

static void on_fail(void *ctx, const char *reason) {
    struct lock_store *store = ctx;

    store_set_problem(store, reason);
    log_debug("store_connect_failed", LF("problem", store->problem));
}

/* ---- life ---- */

struct lock_store *lock_store_create(uv_loop_t *loop, struct wheel *wheel,
                                     const struct config *config,
                                     const struct lock_store_callbacks *callbacks) {
    struct lock_store *store = mem_zalloc(sizeof *store);
    const struct redis_link_callbacks link_callbacks = {on_up, on_down, on_fail, store};
    struct buf name;

    store->loop = loop;
    store->wheel = wheel;
    store->config = config;
    store->callbacks = *callbacks;
    store->down_since_ms = clock_boot_ms();
    rand_id(store->incarnation);
    list_init(&store->flushes);
    instances_init(store);
    wheel_timer_init(&store->reconcile.timer);
    store->shard_count = (unsigned)config->redis.shards;
    store->shards = mem_calloc(store->shard_count, sizeof *store->shards);
    for (unsigned i = 0; i < store->shard_count; i++) {
        shard_init(store, i);
    }
    buf_init(&name);
    buf_printf(&name, "wslockd:%s", config->instance ? config->instance : "");
    store->link = redis_link_create(loop, config, buf_cstr(&name), &link_callbacks);
    buf_append_str(&name, ":feed");
    feed_init(store, buf_cstr(&name));
    watch_init(store);
    buf_fini(&name);
    metrics_set(METRIC_STORE_UP, 0, NULL, NULL);
    return store;
}

void lock_store_destroy(struct lock_store **storep) {
    struct lock_store *store = *storep;

    if (!store) {
        return;
    }
    *storep = NULL;
    store->closing = true;
    for (unsigned i = 0; i < store->shard_count; i++) {
        shard_give_up_lease(&store->shards[i]);
    }
    watch_fini(store);
    reconcile_stop(store);
    feed_fini(store);
    redis_link_destroy(&store->link);
    for (unsigned i = 0; i < store->shard_count; i++) {
        shard_fini(&store->shards[i]);
    }
    mem_free(store->shards);
    decode_scratch_fini(&store->scratch);
    buf_fini(&store->packed);
    instances_fini(store);
    audit_recovery_leave(store);
    mem_free(store->problem);
    mem_free(store);
}

/* ---- what others want to know ---- */

const char *lock_store_problem(const struct lock_store *store) {
    return store->problem;
}

bool lock_store_window_open(const struct lock_store *store) {
    for (unsigned i = 0; i < store->shard_count; i++) {
        if (store->shards[i].window != 0) {
            return true;
        }
    }
    return false;
}

uint64_t lock_store_down_since_boot_ms(const struct lock_store *store) {
    return store->down_since_ms;
}

int64_t lock_store_now_ms(const struct lock_store *store) {
    if (store->clock.at_ms == 0) {
        return clock_wall_ms(); /* before the first answer there is nothing better */
    }
    return store->clock.store_ms + (int64_t)(clock_boot_ms() - store->clock.at_ms);
}

int64_t store_longest_grace_ms(const struct lock_store *store) {
    const struct config *c = store->config;
    int64_t longest = c->default_policy.grace_period_ms;

    for (size_t i = 0; i < c->type_count; i++) {
        if (c->types[i].grace_period_ms > longest) {
            longest = c->types[i].grace_period_ms;
        }
    }
    return longest;
}

/* Everything is counted from when the renewal was sent, on our own clock, and only then told as
 * store time. */
int64_t lock_store_confirmed_until_ms(const struct lock_store *store, int64_t expires_ms,
                                      const struct config_policy *policy) {
    uint64_t sent = UINT64_MAX;
    int64_t since_sent, until;

    for (unsigned i = 0; i < store->shard_count; i++) {
        sent = store->shards[i].lease_sent_ms < sent ? store->shards[i].lease_sent_ms : sent;
    }
    since_sent = (int64_t)(clock_boot_ms() - sent);
    until = lock_store_now_ms(store) - since_sent + store->config->redis.lease_ms - 1000;
    if (policy->disconnect == CONFIG_DISCONNECT_GRACE) {
        until += policy->grace_period_ms;
    }
    return until < expires_ms ? until : expires_ms;
}
