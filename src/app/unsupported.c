#include "unsupported.h"

#include <stdio.h>

struct sink {
    void (*refused)(struct sink *sink, const char *text);
    const char *first_refused;
};

static void each(struct sink *s, const struct config *c) {
    if (c->redis.sentinel_master)
        s->refused(s, "redis.sentinel is not supported by this version");
    if (c->redis.cluster_nodes.count > 0)
        s->refused(s, "redis.cluster is not supported by this version");
    if (c->redis.wait_replicas > 0)
        s->refused(s, "redis.waitReplicas is not supported by this version");
    if (c->auth.jwks_url)
        s->refused(s, "auth.jwks.url is not supported by this version: put the key set into a file "
                      "and name it in auth.jwks.file");
    for (size_t i = 0; i < c->listen_count; i++) {
        if (c->listen[i].systemd_socket) {
            s->refused(s, "listen.systemdSocket is not supported by this version");
            break;
        }
    }
}

static void keep_first(struct sink *sink, const char *text) {
    if (!sink->first_refused)
        sink->first_refused = text;
}

const char *unsupported_check(const struct config *config) {
    struct sink sink = {keep_first, NULL};
    each(&sink, config);
    return sink.first_refused;
}

static void print_refused(struct sink *sink, const char *text) {
    (void)sink;
    fprintf(stderr, "warning: %s; the daemon does not start with it\n", text);
}

void unsupported_print(const struct config *config) {
    struct sink sink = {print_refused, NULL};
    each(&sink, config);
}
