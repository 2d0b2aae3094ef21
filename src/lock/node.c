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

static void on_down(void *ctx, const char *reason) {
    watch_link_down(ctx);
    store_mark_away(ctx, reason);
    feed_reset(ctx, "the other connection was lost"); /* it may lead to the old server */
}

static void on_fail(void *ctx, const char *reason) {
    const struct lock_node *node = ctx;

    store_set_problem(node, reason);
    log_debug("store_connect_failed", LF("problem", node->store->problem));
}

void node_init(struct lock_node *node) {
    const struct redis_link_callbacks callbacks = {on_up, on_down, on_fail, node};
    const struct config *config = node->store->config;
    char *name = mem_printf("wslockd:%s", config->instance != NULL ? config->instance : "");
    char *feed_name = mem_printf("%s:feed", name);

    node->link = redis_link_create(node->store->loop, config, name, &callbacks);
    feed_init(node, feed_name);
    watch_init(node);
    mem_free(feed_name);
    mem_free(name);
}

void node_fini(struct lock_node *node) {
    watch_fini(node);
    feed_fini(node);
    redis_link_destroy(&node->link);
}
