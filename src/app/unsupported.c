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
    s->on_found(s->ctx, text);
}

static void search_redis(const struct search *s) {
    if (s->config->redis.wait_replicas > 0) {
        refuse(s, "redis.waitReplicas");
    }
}

void unsupported_each(const struct config *config, unsupported_cb on_found, void *ctx) {
    const struct search s = {config, on_found, ctx};
    search_redis(&s);
}

static void keep_first(void *ctx, const char *finding) {
    char **first = ctx;
    if (*first == NULL) {
        *first = mem_strdup(finding);
    }
}

char *unsupported_problem(const struct config *config) {
    char *first = NULL;
    unsupported_each(config, keep_first, &first);
    return first;
}
