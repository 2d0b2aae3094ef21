/* TLS to Redis in a build without hiredis_ssl: always refused. */
#include "tls.h"

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

const char *redis_tls_problem(const struct redis_tls *tls) {
    (void)tls;
    return "";
}
