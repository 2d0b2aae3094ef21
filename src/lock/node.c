/* A node: its connections, what reads on them, and what watches them. */
#include "node.h"

#include "availability.h"
#include "feed.h"
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
    node_mark_away(node, reason);
    reset_feeds(node);
}

static void on_fail(void *ctx, const char *reason) {
    const struct lock_node *node = ctx;

    store_set_problem(node, reason);
    log_debug("store_connect_failed", LF("problem", node->store->problem));
}

static void connect(struct lock_node *node) {
    const struct redis_link_callbacks callbacks = {on_up, on_down, on_fail, node};
    char *name = node_link_name(node, "");

    node->link = redis_link_create(node->store->loop, node->store->config, name, &callbacks);
    mem_free(name);
}

void node_create(struct lock_store *store) {
    struct lock_node *node = mem_zalloc(sizeof *node);

    node->store = store;
    list_push_back(&store->nodes, &node->of_store);
    node->shards = mem_calloc(store->shard_count, sizeof(struct shard *));
    for (unsigned i = 0; i < store->shard_count; i++) {
        node->shards[node->shard_count++] = &store->shards[i];
        store->shards[i].node = node;
    }
    connect(node);
    watch_init(node);
    feed_create(node, node->shards, node->shard_count);
}

void node_destroy(struct lock_node *node) {
    for (unsigned i = 0; i < node->shard_count; i++) {
        if (node->shards[i]->feed != NULL) {
            feed_destroy(node->shards[i]->feed);
        }
    }
    redis_link_destroy(&node->link);
    watch_fini(node);
    list_remove(&node->of_store);
    mem_free(node->shards);
    mem_free(node);
}
