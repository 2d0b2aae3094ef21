#include "rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wslock/base/mem.h"

#include "derived.h"

bool config_rules_given(const struct config_rules *r, const char *path) {
    return config_tree_find(r->root, path) != NULL;
}

void config_rules_complain(const struct config_rules *r, const char *path, const char *fmt, ...) {
    const struct config_node *node = config_tree_nearest(r->root, path);
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    config_problems_add(r->problems, node->file, node->line, path, "%s", text);
}

static void check_policy(const struct config_rules *r, const struct config_policy *policy,
                         const char *path, bool shared) {
    char heartbeat[CONFIG_MAX_PATH_BYTES], ttl[CONFIG_MAX_PATH_BYTES], idle[CONFIG_MAX_PATH_BYTES];
    bool own_heartbeat, own_ttl, own_idle;

    config_path_name(heartbeat, path, "heartbeatInterval");
    config_path_name(ttl, path, "lockTtl");
    config_path_name(idle, path, "idleRelease");
    own_heartbeat = config_rules_given(r, heartbeat);
    own_ttl = config_rules_given(r, ttl);
    own_idle = config_rules_given(r, idle);
    /* What a type takes from `default` whole was told there. */
    if ((shared || own_heartbeat || own_ttl) &&
        policy->heartbeat_interval_ms > policy->lock_ttl_ms / 2)
        config_rules_complain(r, own_ttl && !own_heartbeat ? ttl : heartbeat,
                              "heartbeatInterval (%lld ms) must be at most half of lockTtl (%lld "
                              "ms)",
                              (long long)policy->heartbeat_interval_ms,
                              (long long)policy->lock_ttl_ms);
    if ((shared || own_heartbeat || own_idle) && policy->idle_release_ms != CONFIG_NO_LIMIT &&
        policy->idle_release_ms < policy->heartbeat_interval_ms)
        config_rules_complain(r, own_heartbeat && !own_idle ? heartbeat : idle,
                              "idleRelease (%lld ms) must be at least heartbeatInterval (%lld ms)",
                              (long long)policy->idle_release_ms,
                              (long long)policy->heartbeat_interval_ms);
}

void config_check_policies(const struct config_rules *r) {
    check_policy(r, &r->config->default_policy, "default", true);
    for (size_t i = 0; i < r->config->type_count; i++) {
        const struct config_policy *policy = &r->config->types[i];
        char path[CONFIG_MAX_PATH_BYTES];

        config_path_name(path, "resourceTypes", policy->type);
        check_policy(r, policy, path, false);
    }
}

/* Engine.IO's path ends in a slash; clients add it where it is left out. */
static void end_in_slash(char **path) {
    size_t len = strlen(*path);

    if (len > 0 && (*path)[len - 1] == '/')
        return;
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
         strlen(c->paths.native) + 1 == strlen(c->paths.socketio)))
        config_rules_complain(r, "paths.native", "the same place as paths.socketio (%s)",
                              c->paths.socketio);
    if (strcmp(c->paths.native, "/wslock.js") == 0)
        config_rules_complain(r, "paths.native", "/wslock.js is the client's script");
}

static void check_origins(const struct config_rules *r) {
    const struct config_strings *origins = &r->config->allowed_origins;

    for (size_t i = 0; i < origins->count; i++)
        if (origins->count > 1 && strcmp(origins->items[i], "*") == 0)
            config_rules_complain(r, "allowedOrigins",
                                  "\"*\" allows every page and must stand alone");
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
