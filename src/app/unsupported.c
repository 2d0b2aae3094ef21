/* The keys that this version does not support. */
#include "unsupported.h"

#include <stdio.h>

#include "wslock/base/mem.h"

struct search {
    const struct config *config;
    unsupported_cb on_found;
    void *ctx;
};

static void refuse(const struct search *s, const char *key) {
    char text[256];
    (void)snprintf(text, sizeof text, "%s: not supported by this version", key);
    s->on_found(s->ctx, true, text);
}

/* For a key with a default: counts only if the file gives it. */
static void ignore(const struct search *s, const char *key) {
    char text[256];
    if (!config_gives(s->config, key)) {
        return;
    }
    (void)snprintf(text, sizeof text, "%s: warning: has no effect in this version", key);
    s->on_found(s->ctx, false, text);
}

static void search_redis(const struct search *s) {
    if (s->config->redis.cluster_nodes.count > 0) {
        refuse(s, "redis.cluster");
    }
    if (s->config->redis.wait_replicas > 0) {
        refuse(s, "redis.waitReplicas");
    }
}

static void search_net(const struct search *s) {
    ignore(s, "paths.socketio");
    if (s->config->paths.polling) {
        ignore(s, "paths.polling");
    }
}

void unsupported_each(const struct config *config, unsupported_cb on_found, void *ctx) {
    const struct search s = {config, on_found, ctx};
    search_net(&s);
    search_redis(&s);
}

static void keep_first(void *ctx, bool fatal, const char *finding) {
    char **first = ctx;
    if (fatal && *first == NULL) {
        *first = mem_strdup(finding);
    }
}

char *unsupported_problem(const struct config *config) {
    char *first = NULL;
    unsupported_each(config, keep_first, &first);
    return first;
}
