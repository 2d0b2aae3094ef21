/* Runs all rules; those for paths and origins stand here. */
#include "rules.h"

#include <string.h>

#include "wslock/base/mem.h"

#include "derived.h"
#include "rules_auth.h"
#include "rules_net.h"
#include "rules_policy.h"
#include "rules_redis.h"

/* Engine.IO's path ends in a slash; clients add a missing one. */
static void end_in_slash(char **path) {
    size_t len = strlen(*path);

    if (len > 0 && (*path)[len - 1] == '/') {
        return;
    }
    *path = mem_realloc(*path, len + 2);
    memcpy(*path + len, "/", 2);
}

static bool is_prefix(const char *prefix, const char *text) {
    return strncmp(prefix, text, strlen(prefix)) == 0;
}

static void check_paths(const struct config_rules *r) {
    struct config *c = r->config;

    end_in_slash(&c->paths.socketio);
    if (is_prefix(c->paths.socketio, c->paths.native) ||
        (is_prefix(c->paths.native, c->paths.socketio) &&
         strlen(c->paths.native) + 1 == strlen(c->paths.socketio))) {
        config_rules_complain(r, "paths.native", "the same place as paths.socketio (%s)",
                              c->paths.socketio);
    }
    if (strcmp(c->paths.native, "/wslock.js") == 0) {
        config_rules_complain(r, "paths.native", "/wslock.js is the client's script");
    }
}

static void check_origins(const struct config_rules *r) {
    const struct config_strings *origins = &r->config->allowed_origins;

    for (size_t i = 0; i < origins->count; i++) {
        if (origins->count > 1 && strcmp(origins->items[i], "*") == 0) {
            config_rules_complain(r, "allowedOrigins",
                                  "\"*\" allows every page and must stand alone");
        }
    }
}

void config_check_rules(const struct config_rules *r) {
    config_check_listen(r);
    check_paths(r);
    check_origins(r);
    config_check_auth(r);
    config_check_redis(r);
    config_check_policies(r);
    config_derive_instance(r->config);
}
