/* The parts of redis.url. */
#ifndef WSLOCK_CONFIG_REDIS_URL_H
#define WSLOCK_CONFIG_REDIS_URL_H

#include "wslock/config/config.h"

/* Each text on the heap, or NULL. */
struct config_redis_url {
    bool tls;
    char *host;
    int port;
    char *unix_path;
    char *username, *password;
    int database;
};

/* `redis://user:password@host:port/database`, `rediss://…`, `unix:/path?db=N`. Returns NULL, or
 * what is wrong (a static text that shows nothing of the URL); `out` is then empty. */
const char *config_redis_url_parse(const char *url, struct config_redis_url *out);
void config_redis_url_fini(struct config_redis_url *url);

#endif
