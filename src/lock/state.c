/* Functions on the state that all parts share. */
#include "state.h"

#include "crc16.h"

unsigned lock_store_shard(const struct lock_store *store, struct str resource) {
    return crc16(args_document(resource)) % store->shard_count;
}

struct shard *store_shard(const struct lock_store *store, struct str resource) {
    return &store->shards[lock_store_shard(store, resource)];
}

int64_t lock_store_rev(const struct lock_store *store, struct str resource) {
    return store_shard(store, resource)->tick;
}

int64_t lock_store_fed(const struct lock_store *store, struct str resource) {
    return store_shard(store, resource)->cursor;
}

void lock_store_send(struct lock_store *store) {
    for (unsigned i = 0; i < store->node_count; i++) {
        redis_link_send(store->nodes[i].link);
    }
}

bool lock_store_is_busy(const struct lock_store *store) {
    for (unsigned i = 0; i < store->node_count; i++) {
        if (redis_link_is_busy(store->nodes[i].link)) {
            return true;
        }
    }
    return false;
}

bool lock_store_window_open(const struct lock_store *store) {
    for (unsigned i = 0; i < store->shard_count; i++) {
        if (store->shards[i].window != 0) {
            return true;
        }
    }
    return false;
}

bool node_is_positioned(const struct lock_node *node) {
    for (unsigned i = 0; i < node->shard_count; i++) {
        if (!node->shards[i]->positioned) {
            return false;
        }
    }
    return true;
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
