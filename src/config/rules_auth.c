/* Rules for keys and tokens. */
#include "rules_auth.h"

#include <stdio.h>
#include <string.h>

#include "format.h"

static void key_path(char out[CONFIG_MAX_PATH_BYTES], size_t i, const char *name) {
    (void)snprintf(out, CONFIG_MAX_PATH_BYTES, "auth.keys[%zu]%s", i, name);
}

static void check_key_file(const struct config_rules *r, size_t i) {
    const struct config_key *key = &r->config->auth.keys[i];
    bool symmetric = strncmp(key->alg, "HS", 2) == 0;
    const char *needed = symmetric ? "secretFile" : "publicKeyFile";
    const char *other = symmetric ? "publicKeyFile" : "secretFile";
    char path[CONFIG_MAX_PATH_BYTES];

    if (symmetric ? key->secret_file == NULL : key->public_key_file == NULL) {
        key_path(path, i, symmetric ? ".secretFile" : ".publicKeyFile");
        config_rules_complain(r, path, "a key for %s needs %s", key->alg, needed);
    }
    if ((symmetric ? key->public_key_file : key->secret_file) != NULL) {
        key_path(path, i, symmetric ? ".publicKeyFile" : ".secretFile");
        config_rules_complain(r, path, "a key for %s has %s, no %s", key->alg, needed, other);
    }
}

/* A token must not fit two keys. */
static void check_key_twins(const struct config_rules *r, size_t i) {
    const struct config_key *key = &r->config->auth.keys[i];
    char path[CONFIG_MAX_PATH_BYTES];

    key_path(path, i, ".kid");
    for (size_t j = 0; j < i; j++) {
        const struct config_key *other = &r->config->auth.keys[j];

        if (key->kid != NULL && other->kid != NULL && strcmp(key->kid, other->kid) == 0) {
            config_rules_complain(r, path, "auth.keys[%zu] has the same kid", j);
            return;
        }
        if (key->kid == NULL && other->kid == NULL && key->alg != NULL && other->alg != NULL &&
            strcmp(key->alg, other->alg) == 0) {
            config_rules_complain(r, path, "two keys for %s need a kid each", key->alg);
            return;
        }
    }
}

static void check_key(const struct config_rules *r, size_t i) {
    const struct config_key *key = &r->config->auth.keys[i];

    check_key_twins(r, i);
    if (key->alg == NULL) {
        return; /* already reported */
    }
    check_key_file(r, i);
}

static void check_jwks(const struct config_rules *r) {
    const struct config *c = r->config;

    if (c->auth.jwks_url != NULL && c->auth.jwks_file != NULL) {
        config_rules_complain(r, "auth.jwks.file", "url or file, not both");
    }
    if (c->auth.jwks_url != NULL && !config_url_is_safe(c->auth.jwks_url)) {
        config_rules_complain(r, "auth.jwks.url", "http is only for loopback addresses: use https");
    }
    if (c->auth.jwks_cooldown_ms > c->auth.jwks_refresh_ms) {
        config_rules_complain(r, "auth.jwks.cooldown", "longer than auth.jwks.refresh");
    }
    if (c->auth.jwks_max_age_ms < c->auth.jwks_refresh_ms) {
        config_rules_complain(r, "auth.jwks.maxAge", "shorter than auth.jwks.refresh");
    }
}

static void check_not_empty(const struct config_rules *r, const char *path,
                            const struct config_strings *strings) {
    const struct config_node *node = config_tree_find(r->root, path);

    if (strings->set && node != NULL && node->kind == CONFIG_NODE_LIST && node->count == 0) {
        config_rules_complain(r, path, "an empty list would let no one in");
    }
}

static bool is_allowed(const struct config_strings *algorithms, const char *alg) {
    for (size_t i = 0; i < algorithms->count; i++) {
        if (strcmp(algorithms->items[i], alg) == 0) {
            return true;
        }
    }
    return false;
}

/* auth.keys must hold a key whose algorithm is allowed. */
static void check_usable(const struct config_rules *r) {
    const struct config *c = r->config;

    if (c->auth.jwks_url != NULL || c->auth.jwks_file != NULL || c->auth.key_count == 0 ||
        c->auth.algorithms.count == 0) {
        return;
    }
    for (size_t i = 0; i < c->auth.key_count; i++) {
        if (c->auth.keys[i].alg == NULL || is_allowed(&c->auth.algorithms, c->auth.keys[i].alg)) {
            return;
        }
    }
    config_rules_complain(r, "auth.keys",
                          "no usable key: none has an alg that is in auth.algorithms");
}

void config_check_auth(const struct config_rules *r) {
    const struct config *c = r->config;

    for (size_t i = 0; i < c->auth.key_count; i++) {
        check_key(r, i);
    }
    check_jwks(r);
    if (c->auth.key_count == 0 && c->auth.jwks_url == NULL && c->auth.jwks_file == NULL) {
        config_rules_complain(r, "auth", "no keys: auth.keys or auth.jwks must name some");
    }
    check_usable(r);
    check_not_empty(r, "auth.algorithms", &c->auth.algorithms);
    check_not_empty(r, "auth.audience", &c->auth.audience);
}
