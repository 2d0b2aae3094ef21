/* Rules for the policies. */
#include "rules_policy.h"

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
    /* Values that a type inherits from `default` are reported there. */
    if ((shared || own_heartbeat || own_ttl) &&
        policy->heartbeat_interval_ms > policy->lock_ttl_ms / 2) {
        config_rules_complain(r, own_ttl && !own_heartbeat ? ttl : heartbeat,
                              "heartbeatInterval (%lld ms) must be at most half of lockTtl (%lld "
                              "ms)",
                              (long long)policy->heartbeat_interval_ms,
                              (long long)policy->lock_ttl_ms);
    }
    if ((shared || own_heartbeat || own_idle) && policy->idle_release_ms != CONFIG_NO_LIMIT &&
        policy->idle_release_ms < policy->heartbeat_interval_ms) {
        config_rules_complain(r, own_heartbeat && !own_idle ? heartbeat : idle,
                              "idleRelease (%lld ms) must be at least heartbeatInterval (%lld ms)",
                              (long long)policy->idle_release_ms,
                              (long long)policy->heartbeat_interval_ms);
    }
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
