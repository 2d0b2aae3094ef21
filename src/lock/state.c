/* Functions on the state that all parts share. */
#include "state.h"

#include "crc16.h"

#include "wslock/base/mem.h"

unsigned lock_store_shard(const struct lock_store *store, struct str resource) {
    return crc16(args_document(resource)) % store->shard_count;
}

struct shard *store_shard(const struct lock_store *store, struct str resource) {
    return &store->shards[lock_store_shard(store, resource)];
}

struct shard *store_any_shard(const struct lock_store *store) {
    for (unsigned i = 0; i < store->shard_count; i++) {
        if (store->shards[i].state == SHARD_SERVING) {
            return &store->shards[i];
        }
    }
    return &store->shards[0];
}

int64_t lock_store_rev(const struct lock_store *store, struct str resource) {
    return store_shard(store, resource)->tick;
}

int64_t lock_store_fed(const struct lock_store *store, struct str resource) {
    return store_shard(store, resource)->cursor;
}

void lock_store_send(struct lock_store *store) {
    LIST_FOREACH_ENTRY(struct lock_node, node, of_store, &store->nodes) {
        redis_link_send(node->link);
    }
}

bool lock_store_is_busy(const struct lock_store *store) {
    LIST_FOREACH_ENTRY(const struct lock_node, node, of_store, &store->nodes) {
        if (redis_link_is_busy(node->link)) {
            return true;
        }
    }
    return false;
}

bool lock_store_is_away(const struct lock_store *store, struct str resource) {
    enum shard_state state = store_shard(store, resource)->state;

    return state == SHARD_AWAY || state == SHARD_OPENING;
}

bool lock_store_window_open(const struct lock_store *store) {
    for (unsigned i = 0; i < store->shard_count; i++) {
        if (store->shards[i].window != 0) {
            return true;
        }
    }
    return false;
}

bool feed_is_positioned(const struct feed *feed) {
    for (unsigned i = 0; i < feed->shard_count; i++) {
        if (!feed->shards[i]->positioned) {
            return false;
        }
    }
    return true;
}

char *node_link_name(const struct lock_node *node, const char *tail) {
    const char *instance = node->store->config->instance;

    return mem_printf("wslockd:%s%s", instance != NULL ? instance : "", tail);
}

uint64_t store_renewal_ms(const struct lock_store *store) {
    return (uint64_t)store->config->redis.lease_ms / 3;
}

int64_t store_longest_grace_ms(struct lock_store *store) {
    const struct config *c = store->config;
    int64_t longest = c->default_policy.grace_period_ms;

    for (size_t i = 0; i < c->type_count; i++) {
        if (c->types[i].grace_period_ms > longest) {
            longest = c->types[i].grace_period_ms;
        }
    }
    if (longest > store->longest_grace_ms) {
        store->longest_grace_ms = longest;
    }
    return store->longest_grace_ms;
}

uint64_t store_timeout_ms(const struct lock_store *store) {
    return (uint64_t)store->config->redis.command_timeout_ms;
}

void node_command(struct lock_node *node, int argc, const struct str *argv, redis_cb cb,
                  void *arg) {
    redis_link_command(node->link, argc, argv, store_timeout_ms(node->store), cb, arg);
}

void store_tell_unasked(const struct lock_store *store, const struct lock_result *result) {
    for (size_t i = 0; i < result->event_count && !store->closing; i++) {
        store->callbacks.on_unasked(store->callbacks.ctx, &result->events[i], false);
    }
}
