/*
 * Whether the store serves: leases are renewed, shards served, events read and rights complete. One
 * timer looks when each of them was last so; what has not been for two intervals of lease renewal
 * makes the store away, whatever the reason. The reason is only told.
 *
 * The store has one state: a single shard that cannot be served makes it away for everybody, since
 * `confirmedUntil` is that of the oldest lease of all shards. The others are opened anew then, and
 * serve their rooms while that one is tried again and again.
 */
#include "store_private.h"

#include <stdio.h>

#include "wslock/base/clock.h"
#include "wslock/redis/version.h"

#define PERIOD_MAX_MS 250
#define PERIOD_MIN_MS 10

static uint64_t interval_ms(const struct lock_store *store) {
    return (uint64_t)store->config->redis.lease_ms / 3;
}

static bool is_over(uint64_t since_ms, uint64_t limit_ms) {
    return clock_boot_ms() - since_ms > limit_ms;
}

/* Two intervals without success, counted from when there can have been any. */
static bool is_stale(const struct lock_store *store, uint64_t succeeded_ms) {
    uint64_t from_ms = store->watch.from_ms;

    return is_over(succeeded_ms > from_ms ? succeeded_ms : from_ms, interval_ms(store) * 2);
}

void watch_keep_problem(char out[LOCK_PROBLEM_LEN], const char *error) {
    const char *where = error ? strstr(error, " script: ") : NULL;
    int len = where ? (int)(where - error) : LOCK_PROBLEM_LEN - 1;

    snprintf(out, LOCK_PROBLEM_LEN, "%.*s", len, error ? error : "no answer");
}

/* ---- what the connection leads to ---- */

static void fit_changed(struct lock_store *store) {
    if (watch_fits(store)) {
        store->watch.problem[0] = '\0';
        store_open(store);
        store_check_recovered(store);
    } else if (!store->up && store->watch.problem[0]) {
        store_set_problem(store, store->watch.problem);
    }
}

/* Why one could not be loaded is told when it is called. */
static void ignore_reply(void *arg, enum redis_status status, const struct redis_reply *reply,
                         const char *error) {
    (void)arg;
    (void)status;
    (void)reply;
    (void)error;
}

/* Loaded before the first call, so that calls keep their order: NOSCRIPT would repeat some of them.
 */
static void load_scripts(struct lock_store *store) {
    for (size_t i = 0; i < lock_script_count; i++) {
        const struct str argv[] = {str_of("SCRIPT"),
                                   str_of("LOAD"),
                                   {lock_scripts[i]->source, lock_scripts[i]->source_len}};

        redis_link_command(store->link, 3, argv, (uint64_t)store->config->redis.command_timeout_ms,
                           ignore_reply, NULL);
    }
}

static void check_memory_policy(struct str info) {
    static const char wanted[] = "maxmemory_policy:noeviction";

    if (!memmem(info.p, info.len, wanted, sizeof wanted - 1)) {
        log_warn("store_may_evict_locks", LF("advice", "set maxmemory-policy noeviction"));
    }
}

static void on_info(void *arg, enum redis_status status, const struct redis_reply *reply,
                    const char *error) {
    struct lock_store *store = arg;
    struct watch *w = &store->watch;
    struct str info;

    if (store->closing || status == REDIS_UNSENT || status == REDIS_UNKNOWN || w->server_fits) {
        return;
    }
    if (status == REDIS_REFUSED || !redis_reply_str(reply, &info)) {
        watch_keep_problem(w->problem, error);
    } else if (redis_version_fits(info, w->problem, sizeof w->problem)) {
        w->server_fits = true;
        check_memory_policy(info);
    } else {
        w->server_unfit = true;
        store_unusable(store, w->problem);
    }
    fit_changed(store);
}

/* names: of the commands that are missing. */
static void name_missing(struct lock_store *store, const struct redis_reply *names) {
    const char *user = store->config->redis.username;
    struct str name;
    struct buf b;

    buf_init(&b);
    buf_printf(&b, "the Redis user \"%s\" has no right to", user ? user : "default");
    for (size_t i = 0; i < redis_reply_count(names); i++) {
        if (redis_reply_str(redis_reply_at(names, i), &name)) {
            buf_printf(&b, "%s %.*s", i > 0 ? "," : "", (int)name.len, name.p);
        }
    }
    watch_keep_problem(store->watch.problem, buf_cstr(&b));
    buf_fini(&b);
}

static void on_rights(void *arg, enum redis_status status, const struct redis_reply *reply,
                      const char *error) {
    struct lock_store *store = arg;
    struct watch *w = &store->watch;

    w->asking = false;
    if (store->closing || status == REDIS_UNSENT || w->server_unfit ||
        !redis_link_is_up(store->link)) {
        return;
    }
    w->rights_fit = status == REDIS_OK && redis_reply_count(reply) == 0;
    if (w->rights_fit) {
        w->rights_ms = clock_boot_ms();
    } else if (status == REDIS_OK) {
        name_missing(store, reply);
    } else {
        watch_keep_problem(w->problem, error);
    }
    fit_changed(store);
}

static void ask(struct lock_store *store) {
    static const struct str info[] = {{"INFO", 4}};
    struct watch *w = &store->watch;
    uint64_t timeout_ms = (uint64_t)store->config->redis.command_timeout_ms;

    w->asked_ms = clock_boot_ms();
    if (!w->server_fits) {
        redis_link_command(store->link, ARRAY_LEN(info), info, timeout_ms, on_info, store);
    }
    if (!w->asking) {
        w->asking = true;
        redis_link_eval(store->link, &lock_script_rights, 1, &store->shards[0].keys.meta, 0, NULL,
                        timeout_ms, on_rights, store);
    }
}

bool watch_fits(const struct lock_store *store) {
    return store->watch.server_fits && store->watch.rights_fit;
}

void watch_link_up(struct lock_store *store) {
    store->watch.from_ms = clock_boot_ms();
    load_scripts(store);
    ask(store);
}

void watch_link_down(struct lock_store *store) {
    store->watch.server_fits = store->watch.server_unfit = store->watch.rights_fit = false;
    store->watch.problem[0] = '\0';
}

/* ---- what has not succeeded ---- */

/* No shard has a lease, though leases are asked for. */
static bool none_leased(const struct lock_store *store) {
    for (unsigned i = 0; i < store->shard_count; i++) {
        const struct shard *s = &store->shards[i];

        if (s->state == SHARD_AWAY || !is_stale(store, s->lease_sent_ms)) {
            return false;
        }
    }
    return true;
}

/* One that says why, if there is one. */
static const struct shard *find_unserved(const struct lock_store *store) {
    const struct shard *found = NULL;

    for (unsigned i = 0; i < store->shard_count; i++) {
        const struct shard *s = &store->shards[i];

        if (store->up ? is_stale(store, s->served_ms) : s->state != SHARD_SERVING) {
            found = s;
        }
        if (found == s && s->problem[0]) {
            break;
        }
    }
    return found;
}

/* True: something has failed for too long, or, while the store is away, still does. */
static bool find_cause(const struct lock_store *store, char out[LOCK_PROBLEM_LEN]) {
    const struct watch *w = &store->watch;
    const struct shard *s = find_unserved(store);
    bool rights = store->up ? is_stale(store, w->rights_ms) : !watch_fits(store);
    bool events = store->up ? is_stale(store, store->feed.read_ms)
                            : feed_is_positioned(store) && store->feed.away_since_ms != 0;

    if ((rights || events || s) && w->problem[0]) {
        watch_keep_problem(out, w->problem);
    } else if (s &&
               s->problem[0]) { /* before the feed, which is cut with a connection that is left */
        snprintf(out, LOCK_PROBLEM_LEN, "shard %u is not served: %.200s", s->index, s->problem);
    } else if (events) {
        snprintf(out, LOCK_PROBLEM_LEN, "its events cannot be read: %.200s",
                 store->feed.problem[0] ? store->feed.problem : "no answer");
    } else if (s && store->up) {
        snprintf(out, LOCK_PROBLEM_LEN, "shard %u is not served: no answer", s->index);
    } else if (rights && store->up) {
        snprintf(out, LOCK_PROBLEM_LEN, "no answer");
    } else {
        return false;
    }
    return true;
}

/* It has had its time, and does not lead to a store that serves; another one may. */
static bool is_connection_useless(const struct lock_store *store) {
    uint64_t timeout_ms = (uint64_t)store->config->redis.command_timeout_ms;

    return (!watch_fits(store) || none_leased(store)) && is_stale(store, store->watch.from_ms) &&
           (store->up || is_over(store->watch.from_ms, timeout_ms));
}

static void look(struct lock_store *store) {
    char cause[LOCK_PROBLEM_LEN] = "no answer";
    bool wrong = find_cause(store, cause);

    if (store->up && !wrong) {
        return;
    }
    if (wrong) {
        store_set_problem(store, cause);
    }
    if (is_connection_useless(store)) {
        redis_link_reset(store->link, cause);
    } else if (store->up) {
        store_mark_away(store, cause);
        store_open(store);
    }
}

static void on_timer(struct wheel_timer *timer) {
    struct lock_store *store = CONTAINER_OF(timer, struct lock_store, watch.timer);
    struct watch *w = &store->watch;
    uint64_t interval = interval_ms(store), period = interval / 4;
    uint64_t pause = watch_fits(store) || interval < LOCK_RETRY_MS ? interval : LOCK_RETRY_MS;

    period = period > PERIOD_MAX_MS   ? PERIOD_MAX_MS
             : period < PERIOD_MIN_MS ? PERIOD_MIN_MS
                                      : period;
    if (is_over(w->ran_ms, interval / 2 > PERIOD_MAX_MS ? interval / 2 : PERIOD_MAX_MS)) {
        w->from_ms = clock_boot_ms(); /* it was we who stood still */
    }
    w->ran_ms = clock_boot_ms();
    if (redis_link_is_up(store->link)) {
        look(store);
    }
    if (redis_link_is_up(store->link) && is_over(w->asked_ms, pause)) {
        ask(store);
    }
    wheel_set(store->wheel, timer, period, on_timer);
}

void watch_init(struct lock_store *store) {
    wheel_timer_init(&store->watch.timer);
    store->watch.ran_ms = clock_boot_ms();
    wheel_set(store->wheel, &store->watch.timer, PERIOD_MIN_MS, on_timer);
}

void watch_fini(struct lock_store *store) {
    wheel_cancel(&store->watch.timer);
}
