/* TLS to Redis in a build without hiredis_ssl: always refused. */
#include "tls.h"

#include <stdio.h>

#include "wslock/base/mem.h"

struct redis_tls *redis_tls_create(const struct config *config, char **problem) {
    (void)config;
    *problem = mem_strdup("redis.tls: this program was built without TLS to Redis (hiredis_ssl)");
    return NULL;
}

void redis_tls_destroy(struct redis_tls **tls) {
    *tls = NULL;
}

bool redis_tls_start(struct redis_tls *tls, redisContext *c, const char *host,
                     const char **problem) {
    (void)tls;
    (void)c;
    (void)host;
    *problem = "built without TLS";
    return false;
}

void redis_tls_clear_errors(void) {
}

void redis_tls_explain(struct redis_tls *tls, const redisContext *c, const char *reason, char *out,
                       size_t size) {
    (void)tls;
    (void)c;
    snprintf(out, size, "%s", reason);
}
