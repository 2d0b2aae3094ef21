/* The store as a whole: up or away. */
#include "availability.h"

#include <string.h>

#include "reconcile.h"
#include "shard.h"

#include "wslock/base/clock.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

bool store_set_problem(const struct lock_node *node, const char *problem) {
    struct lock_store *store = node->store;
    char *text = mem_printf("%s: %s", redis_link_target(node->link), problem);
    bool another = store->problem == NULL || strcmp(store->problem, text) != 0;

    mem_free(store->problem);
    store->problem = text;
    return another;
}

static void go_away(struct lock_store *store) {
    reconcile_stop(store);
    if (store->up) {
        store->up = false;
        store->down_since_ms = clock_boot_ms();
        metrics_set(METRIC_STORE_UP, 0, NULL, NULL);
    }
    if (store->been_up) { /* also if not every shard was served since the last time */
        store->callbacks.on_degraded(store->callbacks.ctx);
    }
}

void node_note_away(struct lock_node *node, const char *reason) {
    store_set_problem(node, reason);
    node->up = false;
    go_away(node->store);
    store_open(node->store);
}

void node_mark_away(struct lock_node *node, const char *reason) {
    for (unsigned i = 0; i < node->shard_count; i++) {
        shard_away(node->shards[i]);
    }
    node_note_away(node, reason);
}

void store_check_moved(struct lock_store *store) {
    const struct shard *away = NULL;

    for (unsigned i = 0; i < store->shard_count; i++) {
        if (!store->shards[i].node->up && store->shards[i].state == SHARD_AWAY) {
            away = &store->shards[i];
        }
    }
    if (away != NULL) {
        store_set_problem(away->node, "shards have moved here");
        go_away(store);
        store_open(store);
    }
}

/* Changes reach clients only as events: without events nothing is served. */
static bool can_open(const struct shard *s) {
    return redis_link_is_up(s->node->link) && s->node->fits &&
           (s->feed->away_ms == 0 || !feed_is_positioned(s->feed));
}

void store_open(struct lock_store *store) {
    if (store->closing) {
        return;
    }
    for (unsigned i = 0; i < store->shard_count; i++) {
        struct shard *s = &store->shards[i];

        if (s->state == SHARD_AWAY && can_open(s)) {
            s->node->opened_ms = clock_boot_ms();
            shard_open(s);
        }
    }
}

static bool serves_all(const struct lock_node *node) {
    for (unsigned i = 0; i < node->shard_count; i++) {
        if (node->shards[i]->state != SHARD_SERVING || node->shards[i]->feed->away_ms != 0) {
            return false;
        }
    }
    return node->fits;
}

void store_check_recovered(struct lock_store *store) {
    bool up = true;

    LIST_FOREACH_ENTRY(struct lock_node, node, of_store, &store->nodes) {
        node->up = node->up || serves_all(node);
        up = up && node->up;
    }
    if (store->up || !up) {
        return;
    }
    store->up = store->been_up = true;
    store->down_since_ms = 0;
    mem_free(store->problem);
    store->problem = NULL;
    metrics_set(METRIC_STORE_UP, 1, NULL, NULL);
    store->callbacks.on_recovered(store->callbacks.ctx);
    reconcile_begin(store);
}

void node_leave_server(struct lock_node *node, const char *why) {
    store_set_problem(node, why);
    if (clock_boot_ms() - node->counted_from_ms >= LOCK_RETRY_MS) {
        redis_link_reset(node->link, why);
    }
}

void node_unusable(struct lock_node *node, const char *problem) {
    struct lock_store *store = node->store;

    node_leave_server(node, problem);
    if (!store->been_up && !store->fatal) {
        store->fatal = true;
        store->callbacks.on_fatal(store->callbacks.ctx, problem);
    }
}

void lock_store_check_lease(struct lock_store *store) {
    uint64_t now_ms = clock_boot_ms();

    for (unsigned i = 0; i < store->shard_count; i++) {
        const struct shard *s = &store->shards[i];

        if ((s->node->up || s->state == SHARD_SERVING || s->state == SHARD_SYNCING) &&
            !shard_is_leased(s, now_ms)) {
            node_mark_away(s->node, "the lease has lapsed");
        }
    }
}

const char *lock_store_problem(const struct lock_store *store) {
    return store->problem;
}

uint64_t lock_store_down_since_boot_ms(const struct lock_store *store) {
    return store->down_since_ms;
}
