#include "unsupported.h"

static void note(const char *type, const char *key, const char *instead) {
    log_warn("key_without_effect_yet", LF("type", type), LF("key", key), LF("instead", instead));
}

static void note_policy(const struct config_policy *p) {
    if (p->upgrade != CONFIG_UPGRADE_DENY)
        note(p->type, "upgrade", "deny");
    if (p->requests)
        note(p->type, "requests", "false");
    if (p->disconnect == CONFIG_DISCONNECT_PROMPT)
        note(p->type, "disconnect", "grace");
    if (p->urgent_takeover || p->takeover == CONFIG_TAKEOVER_IMMEDIATE || p->takeover_roles.set)
        note(p->type, "takeover", "never");
}

const char *unsupported_check(const struct config *config) {
    if (config->redis.sentinel_master)
        return "redis.sentinel is not supported by this version";
    if (config->redis.cluster_nodes.count > 0)
        return "redis.cluster is not supported by this version";
    if (config->redis.wait_replicas > 0)
        return "redis.waitReplicas is not supported by this version";
    note_policy(&config->default_policy);
    for (size_t i = 0; i < config->type_count; i++)
        note_policy(&config->types[i]);
    if (config->ticket_signing_key_file)
        note("-", "tickets.signingKeyFile", "no tickets");
    return NULL;
}
