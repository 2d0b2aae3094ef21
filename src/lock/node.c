/* A node: its connections, what reads on them, and what watches them. */
#include "node.h"

#include "availability.h"
#include "feed.h"
#include "replicas.h"
#include "shard.h"
#include "watch.h"

#include "wslock/base/log.h"
#include "wslock/base/mem.h"

static void on_up(void *ctx) {
    watch_link_up(ctx);
}

/* The other connections may lead to the old server. */
static void reset_feeds(const struct lock_node *node) {
    for (unsigned i = 0; i < node->shard_count; i++) {
        feed_reset(node->shards[i]->feed, "the other connection was lost");
    }
}

static void on_down(void *ctx, const char *reason) {
    struct lock_node *node = ctx;

    watch_link_down(node);
    replicas_reset(node, "the other connection was lost");
    node_mark_away(node, reason);
    reset_feeds(node);
    node->store->shard_hooks->on_node_away(node);
}

static void on_fail(void *ctx, const char *reason) {
    static struct log_limit limit;
    const struct lock_node *node = ctx;

    if (store_set_problem(node, reason) && log_limit_pass(&limit, 10)) {
        log_warn("store_connect_failed", LF("problem", node->store->problem));
    } else {
        log_debug("store_connect_failed", LF("problem", node->store->problem));
    }
}

static void connect(struct lock_node *node) {
    const struct redis_link_callbacks callbacks = {on_up, on_down, on_fail, node};
    const struct lock_store *store = node->store;
    char *name = node_link_name(node, "");

    node->link =
        node->address.port == 0
            ? redis_link_create(store->loop, store->config, name, &callbacks)
            : redis_link_create_at(store->loop, store->config, &node->address, name, &callbacks);
    mem_free(name);
}

struct lock_node *node_create_at(struct lock_store *store, const struct redis_address *address) {
    struct lock_node *node = mem_zalloc(sizeof *node);

    node->store = store;
    node->address = *address;
    list_push_back(&store->nodes, &node->of_store);
    node->shards = mem_calloc(store->shard_count, sizeof(struct shard *));
    connect(node);
    replicas_init(node);
    watch_init(node);
    return node;
}

static void give(struct shard *s) {
    struct lock_node *node = s->node;
    unsigned at = 0;

    while (node->shards[at] != s) {
        at++;
    }
    node->shards[at] = node->shards[--node->shard_count];
    s->replicated = s->replicating = 0;
    feed_drop(s);
    shard_away(s);
}

void node_take(struct lock_node *node, struct shard *s) {
    give(s);
    s->node = node;
    node->shards[node->shard_count++] = s;
    node->up = false;
    feed_create(node, &s, 1);
    script_drop_held(s);
}

void node_end_asking(struct lock_node *node) {
    node->address.asking = false;
    redis_link_end_asking(node->link);
    replicas_end_asking(node);
    for (unsigned i = 0; i < node->shard_count; i++) {
        redis_link_end_asking(node->shards[i]->feed->link);
    }
}

void node_create(struct lock_store *store) {
    static const struct redis_address configured;
    struct lock_node *node = node_create_at(store, &configured);

    for (unsigned i = 0; i < store->shard_count; i++) {
        node->shards[node->shard_count++] = &store->shards[i];
        store->shards[i].node = node;
    }
    feed_create(node, node->shards, node->shard_count);
}

void node_destroy(struct lock_node *node) {
    list_remove(&node->of_store);
    for (unsigned i = 0; i < node->shard_count; i++) {
        feed_drop(node->shards[i]);
    }
    replicas_fini(node);
    redis_link_destroy(&node->link);
    watch_fini(node);
    mem_free(node->shards);
    mem_free(node);
}
