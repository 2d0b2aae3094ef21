/*
 * Decides when a node goes away. For each node a timer looks when leases were last renewed, shards
 * served, events read and rights complete. If one of them has not succeeded for two intervals of
 * lease renewal, the node is away. The error is reported, but does not matter for that.
 *
 * A server has one state: a single shard that is not served makes it away for every client. The
 * other shards are then opened again, and serve their rooms while that one is retried. In a Cluster
 * only the shard goes away.
 */
#include "watch.h"

#include <stdio.h>

#include "availability.h"
#include "script.h"
#include "shard.h"

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/redis/version.h"

#define PERIOD_MAX_MS 250
#define PERIOD_MIN_MS 10

struct watch {
    struct lock_node *node;
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
static bool is_stale(const struct lock_node *node, uint64_t succeeded_ms) {
    uint64_t from_ms = node->counted_from_ms;

    return is_over(succeeded_ms > from_ms ? succeeded_ms : from_ms,
                   store_renewal_ms(node->store) * 2);
}

/* ---- the server and the rights ---- */

static void fit_changed(struct lock_node *node) {
    struct watch *w = node->watch;

    node->fits = w->server_fits && w->rights_fit;
    if (node->fits) {
        w->problem[0] = '\0';
        store_open(node->store);
        store_check_recovered(node->store);
    } else if (!node->up && w->problem[0] != '\0') {
        store_set_problem(node, w->problem);
    }
}

/* The library may be there already. If it could not be loaded, the first call fails with the
 * reason. */
static void ignore_reply(void *arg, enum redis_status status, const struct redis_reply *reply,
                         const char *error) {
    (void)arg;
    (void)status;
    (void)reply;
    (void)error;
}

/* Before the first call, so that calls keep their order: without the library a call is sent again.
 */
static void load_library(struct lock_node *node) {
    const struct str argv[] = {
        str_of("FUNCTION"), str_of("LOAD"), {lock_library.source, lock_library.source_len}};

    node_command(node, ARRAY_LEN(argv), argv, ignore_reply, NULL);
}

static void check_memory_policy(struct str info) {
    static const char wanted[] = "maxmemory_policy:noeviction";

    if (memmem(info.p, info.len, wanted, sizeof wanted - 1) == NULL) {
        log_warn("store_may_evict_locks", LF("advice", "set maxmemory-policy noeviction"));
    }
}

/* redis.url leads to a node of a Cluster. */
static bool is_cluster(const struct lock_node *node, const struct redis_reply *reply) {
    static const char wanted[] = "\ncluster_enabled:1";
    struct str info;

    return node->address.port == 0 && redis_reply_str(reply, &info) &&
           memmem(info.p, info.len, wanted, sizeof wanted - 1) != NULL;
}

static void on_info(void *arg, enum redis_status status, const struct redis_reply *reply,
                    const char *error) {
    struct lock_node *node = arg;
    struct watch *w = node->watch;
    struct str info;

    if (node->store->closing || status == REDIS_UNSENT || status == REDIS_UNKNOWN ||
        w->server_fits) {
        return;
    }
    if (status == REDIS_OK && is_cluster(node, reply)) {
        script_keep_problem(w->problem, "the masters of the Cluster are not known yet");
        node->store->shard_hooks->on_cluster(node->store);
    } else if (status == REDIS_REFUSED || !redis_reply_str(reply, &info)) {
        script_keep_problem(w->problem, error);
    } else if (redis_version_fits(info, w->problem, sizeof w->problem)) {
        w->server_fits = true;
        check_memory_policy(info);
    } else {
        w->server_unfit = true;
        node_unusable(node, w->problem);
    }
    fit_changed(node);
}

/* names: the missing commands. */
static void name_missing(struct lock_node *node, const struct redis_reply *names) {
    const char *user = node->store->config->redis.username;
    struct str name;
    struct buf b;

    buf_init(&b);
    buf_printf(&b, "the Redis user \"%s\" has no right to", user != NULL ? user : "default");
    for (size_t i = 0; i < redis_reply_count(names); i++) {
        if (redis_reply_str(redis_reply_at(names, i), &name)) {
            buf_printf(&b, "%s %.*s", i > 0 ? "," : "", (int)name.len, name.p);
        }
    }
    script_keep_problem(node->watch->problem, buf_cstr(&b));
    buf_fini(&b);
}

static void on_rights(void *arg, enum redis_status status, const struct redis_reply *reply,
                      const char *error) {
    struct lock_node *node = arg;
    struct watch *w = node->watch;

    if (node->store->closing) {
        return;
    }
    w->asking = false;
    if (status == REDIS_UNSENT || w->server_unfit || node->link == NULL ||
        !redis_link_is_up(node->link)) {
        return;
    }
    w->rights_fit = status == REDIS_OK && redis_reply_count(reply) == 0;
    if (w->rights_fit) {
        w->rights_ms = clock_boot_ms();
    } else if (status == REDIS_OK) {
        name_missing(node, reply);
    } else {
        script_keep_problem(w->problem, error);
        node->store->shard_hooks->on_refused(node->shards[0], error);
    }
    fit_changed(node);
}

static void ask(struct lock_node *node) {
    static const struct str info[] = {{"INFO", 4}};
    struct watch *w = node->watch;
    bool in_cluster = node->address.port != 0; /* the slot of one shard does not matter */

    w->asked_ms = clock_boot_ms();
    if (!w->server_fits) {
        node_command(node, ARRAY_LEN(info), info, on_info, node);
    }
    if (!w->asking && node->shard_count > 0) {
        const struct str *key = &node->shards[0]->keys.meta;

        const struct str args[] = {*key, str_of(node->replicas != NULL ? "wait" : "")};

        w->asking = true;
        redis_link_call(node->link, &lock_script_rights, in_cluster ? 0 : 1, key, ARRAY_LEN(args),
                        args, store_timeout_ms(node->store), on_rights, node);
    }
}

void watch_link_up(struct lock_node *node) {
    node->counted_from_ms = clock_boot_ms();
    load_library(node);
    ask(node);
}

void watch_link_down(struct lock_node *node) {
    struct watch *w = node->watch;

    w->server_fits = w->server_unfit = w->rights_fit = node->fits = false;
    w->problem[0] = '\0';
}

/* ---- what has not succeeded ---- */

/* No shard got a lease, although every one tries to. */
static bool none_leased(const struct lock_node *node) {
    if (!is_stale(node, node->opened_ms)) {
        return false;
    }
    for (unsigned i = 0; i < node->shard_count; i++) {
        const struct shard *s = node->shards[i];

        if (s->state == SHARD_AWAY || !is_stale(node, s->lease_sent_ms)) {
            return false;
        }
    }
    return true;
}

/* Preferably one whose error is known. */
static const struct shard *find_unserved(const struct lock_node *node) {
    const struct shard *found = NULL;

    for (unsigned i = 0; i < node->shard_count; i++) {
        const struct shard *s = node->shards[i];

        if (node->up ? is_stale(node, s->served_ms) : s->state != SHARD_SERVING) {
            found = s;
        }
        if (found == s && s->problem[0] != '\0') {
            break;
        }
    }
    return found;
}

/* NULL: the events of every shard are read. */
static const struct feed *find_unread(const struct lock_node *node) {
    const struct feed *before = NULL;

    for (unsigned i = 0; i < node->shard_count; i++) {
        const struct feed *f = node->shards[i]->feed;

        if (f != before &&
            (node->up ? is_stale(node, f->read_ms) : f->away_ms != 0 && feed_is_positioned(f))) {
            return f;
        }
        before = f;
    }
    return NULL;
}

/* True: something has not succeeded for too long, or the node is away and something still fails. */
static bool find_cause(const struct lock_node *node, char out[LOCK_PROBLEM_LEN]) {
    const struct watch *w = node->watch;
    const struct shard *s = find_unserved(node);
    bool rights = node->up ? is_stale(node, w->rights_ms) : !node->fits;
    const struct feed *unread = find_unread(node);

    if ((rights || unread != NULL || s != NULL) && w->problem[0] != '\0') {
        script_keep_problem(out, w->problem);
    } else if (s != NULL && s->problem[0] != '\0') { /* before the feed, which fails with it */
        snprintf(out, LOCK_PROBLEM_LEN, "shard %u is not served: %.200s", s->index, s->problem);
    } else if (unread != NULL) {
        snprintf(out, LOCK_PROBLEM_LEN, "its events cannot be read: %.200s",
                 unread->problem[0] != '\0' ? unread->problem : "no answer");
    } else if (s != NULL && node->up) {
        snprintf(out, LOCK_PROBLEM_LEN, "shard %u is not served: no answer", s->index);
    } else if (rights && node->up) {
        snprintf(out, LOCK_PROBLEM_LEN, "no answer");
    } else {
        return false;
    }
    return true;
}

/* After enough time it still leads to no usable server; a new connection may. */
static bool is_connection_useless(const struct lock_node *node) {
    return (!node->fits || none_leased(node)) && is_stale(node, node->counted_from_ms) &&
           (node->up || is_over(node->counted_from_ms, store_timeout_ms(node->store)));
}

/* In a Cluster each shard has a slot and a feed of its own, and goes away alone. At a node that is
 * not up, one that is being opened or resynchronised is not served yet; without a lease it never
 * will be. */
static bool is_lost(const struct lock_node *node, const struct shard *s) {
    if (s->state == SHARD_AWAY || (!node->up && s->state == SHARD_OPENING)) {
        return false;
    }
    if (!node->up && s->state == SHARD_SYNCING) {
        return is_stale(node, s->lease_sent_ms);
    }
    return is_stale(node, s->served_ms) || is_stale(node, s->feed->read_ms);
}

static void mark_shards_away(struct lock_node *node, const char *cause) {
    bool found = false;

    for (unsigned i = 0; i < node->shard_count; i++) {
        struct shard *s = node->shards[i];

        if (is_lost(node, s)) {
            shard_away(s);
            found = true;
        }
    }
    if (found) {
        node_note_away(node, cause);
    }
}

static void look(struct lock_node *node) {
    char cause[LOCK_PROBLEM_LEN] = "no answer";
    bool wrong = find_cause(node, cause);
    bool answers = node->fits && !is_stale(node, node->watch->rights_ms);

    if (node->up && !wrong) {
        return;
    }
    if (wrong) {
        store_set_problem(node, cause);
    }
    if (is_connection_useless(node)) {
        redis_link_reset(node->link, cause);
    } else if (node->address.port != 0 && answers) {
        mark_shards_away(node, cause);
    } else if (node->up) {
        node_mark_away(node, cause);
    }
}

static void on_timer(struct wheel_timer *timer) {
    struct watch *w = CONTAINER_OF(timer, struct watch, timer);
    struct lock_node *node = w->node;
    uint64_t interval = store_renewal_ms(node->store), period = interval / 4;
    uint64_t pause = node->fits || interval < LOCK_RETRY_MS ? interval : LOCK_RETRY_MS;

    period = period > PERIOD_MAX_MS   ? PERIOD_MAX_MS
             : period < PERIOD_MIN_MS ? PERIOD_MIN_MS
                                      : period;
    if (is_over(w->ran_ms, interval / 2 > PERIOD_MAX_MS ? interval / 2 : PERIOD_MAX_MS)) {
        node->counted_from_ms = clock_boot_ms(); /* this process stood still */
    }
    w->ran_ms = clock_boot_ms();
    if (redis_link_is_up(node->link)) {
        look(node);
    }
    if (redis_link_is_up(node->link) && is_over(w->asked_ms, pause)) {
        ask(node);
    }
    if (!node->up) {
        node->store->shard_hooks->on_node_away(node);
    }
    wheel_set(node->store->wheel, timer, period, on_timer);
}

void watch_init(struct lock_node *node) {
    struct watch *w = mem_zalloc(sizeof *w);

    node->watch = w;
    w->node = node;
    w->ran_ms = clock_boot_ms();
    wheel_timer_init(&w->timer);
    wheel_set(node->store->wheel, &w->timer, PERIOD_MIN_MS, on_timer);
}

void watch_fini(struct lock_node *node) {
    wheel_cancel(&node->watch->timer);
    mem_free(node->watch);
}
