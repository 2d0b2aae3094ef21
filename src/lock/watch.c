/*
 * Decides when the store goes away. A timer looks when leases were last renewed, shards served,
 * events read and rights complete. If one of them has not succeeded for two intervals of lease
 * renewal, the store is away. The error is reported, but does not matter for that.
 *
 * The store has one state: a single shard that is not served makes it away for every client, since
 * `confirmedUntil` depends on the oldest lease of all shards. The other shards are then opened
 * again, and serve their rooms while that one is retried.
 */
#include "watch.h"

#include <stdio.h>

#include "availability.h"
#include "script.h"

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/redis/version.h"

#define PERIOD_MAX_MS 250
#define PERIOD_MIN_MS 10

struct watch {
    struct lock_store *store;
    struct wheel_timer timer;
    uint64_t ran_ms;    /* boot time of the last look */
    uint64_t asked_ms;  /* boot time of the last query for server and rights */
    uint64_t rights_ms; /* boot time when no right was missing */
    bool asking;        /* for the rights */
    bool server_fits;   /* on this connection; neither of the two: not known yet */
    bool server_unfit;
    bool rights_fit;                /* the last answer on this connection */
    char problem[LOCK_PROBLEM_LEN]; /* why server or rights do not fit; empty: not known */
};

static bool is_over(uint64_t since_ms, uint64_t limit_ms) {
    return clock_boot_ms() - since_ms > limit_ms;
}

/* Two intervals without success. */
static bool is_stale(const struct lock_store *store, uint64_t succeeded_ms) {
    uint64_t from_ms = store->counted_from_ms;

    return is_over(succeeded_ms > from_ms ? succeeded_ms : from_ms, store_renewal_ms(store) * 2);
}

/* ---- the server and the rights ---- */

static void fit_changed(struct lock_store *store) {
    struct watch *w = store->watch;

    store->fits = w->server_fits && w->rights_fit;
    if (store->fits) {
        w->problem[0] = '\0';
        store_open(store);
        store_check_recovered(store);
    } else if (!store->up && w->problem[0] != '\0') {
        store_set_problem(store, w->problem);
    }
}

/* If a script was not loaded, its first call fails with the reason. */
static void ignore_reply(void *arg, enum redis_status status, const struct redis_reply *reply,
                         const char *error) {
    (void)arg;
    (void)status;
    (void)reply;
    (void)error;
}

/* Before the first call, so that calls keep their order: after NOSCRIPT a call is sent again. */
static void load_scripts(struct lock_store *store) {
    for (size_t i = 0; i < lock_script_count; i++) {
        const struct str argv[] = {str_of("SCRIPT"),
                                   str_of("LOAD"),
                                   {lock_scripts[i]->source, lock_scripts[i]->source_len}};

        store_command(store, ARRAY_LEN(argv), argv, ignore_reply, NULL);
    }
}

static void check_memory_policy(struct str info) {
    static const char wanted[] = "maxmemory_policy:noeviction";

    if (memmem(info.p, info.len, wanted, sizeof wanted - 1) == NULL) {
        log_warn("store_may_evict_locks", LF("advice", "set maxmemory-policy noeviction"));
    }
}

static void on_info(void *arg, enum redis_status status, const struct redis_reply *reply,
                    const char *error) {
    struct lock_store *store = arg;
    struct watch *w = store->watch;
    struct str info;

    if (store->closing || status == REDIS_UNSENT || status == REDIS_UNKNOWN || w->server_fits) {
        return;
    }
    if (status == REDIS_REFUSED || !redis_reply_str(reply, &info)) {
        script_keep_problem(w->problem, error);
    } else if (redis_version_fits(info, w->problem, sizeof w->problem)) {
        w->server_fits = true;
        check_memory_policy(info);
    } else {
        w->server_unfit = true;
        store_unusable(store, w->problem);
    }
    fit_changed(store);
}

/* names: the missing commands. */
static void name_missing(struct lock_store *store, const struct redis_reply *names) {
    const char *user = store->config->redis.username;
    struct str name;
    struct buf b;

    buf_init(&b);
    buf_printf(&b, "the Redis user \"%s\" has no right to", user != NULL ? user : "default");
    for (size_t i = 0; i < redis_reply_count(names); i++) {
        if (redis_reply_str(redis_reply_at(names, i), &name)) {
            buf_printf(&b, "%s %.*s", i > 0 ? "," : "", (int)name.len, name.p);
        }
    }
    script_keep_problem(store->watch->problem, buf_cstr(&b));
    buf_fini(&b);
}

static void on_rights(void *arg, enum redis_status status, const struct redis_reply *reply,
                      const char *error) {
    struct lock_store *store = arg;
    struct watch *w = store->watch;

    if (store->closing) {
        return;
    }
    w->asking = false;
    if (status == REDIS_UNSENT || w->server_unfit || !redis_link_is_up(store->link)) {
        return;
    }
    w->rights_fit = status == REDIS_OK && redis_reply_count(reply) == 0;
    if (w->rights_fit) {
        w->rights_ms = clock_boot_ms();
    } else if (status == REDIS_OK) {
        name_missing(store, reply);
    } else {
        script_keep_problem(w->problem, error);
    }
    fit_changed(store);
}

static void ask(struct lock_store *store) {
    static const struct str info[] = {{"INFO", 4}};
    struct watch *w = store->watch;

    w->asked_ms = clock_boot_ms();
    if (!w->server_fits) {
        store_command(store, ARRAY_LEN(info), info, on_info, store);
    }
    if (!w->asking) {
        w->asking = true;
        redis_link_eval(store->link, &lock_script_rights, 1, &store->shards[0].keys.meta, 0, NULL,
                        store_timeout_ms(store), on_rights, store);
    }
}

void watch_link_up(struct lock_store *store) {
    store->counted_from_ms = clock_boot_ms();
    load_scripts(store);
    ask(store);
}

void watch_link_down(struct lock_store *store) {
    struct watch *w = store->watch;

    w->server_fits = w->server_unfit = w->rights_fit = store->fits = false;
    w->problem[0] = '\0';
}

/* ---- what has not succeeded ---- */

/* No shard got a lease, although every one tries to. */
static bool none_leased(const struct lock_store *store) {
    for (unsigned i = 0; i < store->shard_count; i++) {
        const struct shard *s = &store->shards[i];

        if (s->state == SHARD_AWAY || !is_stale(store, s->lease_sent_ms)) {
            return false;
        }
    }
    return true;
}

/* Preferably one whose error is known. */
static const struct shard *find_unserved(const struct lock_store *store) {
    const struct shard *found = NULL;

    for (unsigned i = 0; i < store->shard_count; i++) {
        const struct shard *s = &store->shards[i];

        if (store->up ? is_stale(store, s->served_ms) : s->state != SHARD_SERVING) {
            found = s;
        }
        if (found == s && s->problem[0] != '\0') {
            break;
        }
    }
    return found;
}

/* True: something has not succeeded for too long, or the store is away and something still fails.
 */
static bool find_cause(const struct lock_store *store, char out[LOCK_PROBLEM_LEN]) {
    const struct watch *w = store->watch;
    const struct shard *s = find_unserved(store);
    bool rights = store->up ? is_stale(store, w->rights_ms) : !store->fits;
    bool events = store->up ? is_stale(store, store->events_read_ms)
                            : store_is_positioned(store) && store->events_away_ms != 0;

    if ((rights || events || s != NULL) && w->problem[0] != '\0') {
        script_keep_problem(out, w->problem);
    } else if (s != NULL && s->problem[0] != '\0') { /* before the feed, which fails with it */
        snprintf(out, LOCK_PROBLEM_LEN, "shard %u is not served: %.200s", s->index, s->problem);
    } else if (events) {
        snprintf(out, LOCK_PROBLEM_LEN, "its events cannot be read: %.200s",
                 store->events_problem[0] != '\0' ? store->events_problem : "no answer");
    } else if (s != NULL && store->up) {
        snprintf(out, LOCK_PROBLEM_LEN, "shard %u is not served: no answer", s->index);
    } else if (rights && store->up) {
        snprintf(out, LOCK_PROBLEM_LEN, "no answer");
    } else {
        return false;
    }
    return true;
}

/* After enough time it still leads to no usable server; a new connection may. */
static bool is_connection_useless(const struct lock_store *store) {
    return (!store->fits || none_leased(store)) && is_stale(store, store->counted_from_ms) &&
           (store->up || is_over(store->counted_from_ms, store_timeout_ms(store)));
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
    }
}

static void on_timer(struct wheel_timer *timer) {
    struct watch *w = CONTAINER_OF(timer, struct watch, timer);
    struct lock_store *store = w->store;
    uint64_t interval = store_renewal_ms(store), period = interval / 4;
    uint64_t pause = store->fits || interval < LOCK_RETRY_MS ? interval : LOCK_RETRY_MS;

    period = period > PERIOD_MAX_MS   ? PERIOD_MAX_MS
             : period < PERIOD_MIN_MS ? PERIOD_MIN_MS
                                      : period;
    if (is_over(w->ran_ms, interval / 2 > PERIOD_MAX_MS ? interval / 2 : PERIOD_MAX_MS)) {
        store->counted_from_ms = clock_boot_ms(); /* this process stood still */
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
    struct watch *w = mem_zalloc(sizeof *w);

    store->watch = w;
    w->store = store;
    w->ran_ms = clock_boot_ms();
    wheel_timer_init(&w->timer);
    wheel_set(store->wheel, &w->timer, PERIOD_MIN_MS, on_timer);
}

void watch_fini(struct lock_store *store) {
    wheel_cancel(&store->watch->timer);
    mem_free(store->watch);
}
