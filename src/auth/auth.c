/* Verifies a token: signature, type, then claims. */
#include "wslock/auth/auth.h"

#include <strings.h>

#include "wslock/base/jsonr.h"
#include "wslock/base/mem.h"

#include "claim_path.h"
#include "claims.h"
#include "compact.h"
#include "jwks.h"
#include "keyfiles.h"

struct auth {
    struct auth_keystore keys;
    struct auth_claim_rules rules;
    struct jwks *jwks; /* NULL before auth_fetch_keys */
};

static struct config_strings copy_strings(const struct config_strings *from) {
    struct config_strings to = {.count = from->count, .set = from->set};

    to.items = from->count > 0 ? mem_calloc(from->count, sizeof *to.items) : NULL;
    for (size_t i = 0; i < from->count; i++) {
        to.items[i] = mem_strdup(from->items[i]);
    }
    return to;
}

static void free_strings(struct config_strings *strings) {
    for (size_t i = 0; i < strings->count; i++) {
        mem_free(strings->items[i]);
    }
    mem_free(strings->items);
}

static void add_roles(struct config_strings *to, const struct config_strings *from) {
    for (size_t i = 0; i < from->count; i++) {
        if (auth_is_one_of(str_of(from->items[i]), to)) {
            continue;
        }
        to->items = mem_realloc(to->items, (to->count + 1) * sizeof *to->items);
        to->items[to->count++] = mem_strdup(from->items[i]);
    }
}

/* All roles that the configuration names. */
static struct config_strings known_roles(const struct config *config) {
    struct config_strings known = {0};

    add_roles(&known, &config->auth.admin_roles);
    add_roles(&known, &config->default_policy.editor_roles);
    add_roles(&known, &config->default_policy.takeover_roles);
    for (size_t i = 0; i < config->type_count; i++) {
        add_roles(&known, &config->types[i].editor_roles);
        add_roles(&known, &config->types[i].takeover_roles);
    }
    return known;
}

static void copy_rules(struct auth_claim_rules *rules, const struct config *config) {
    *rules = (struct auth_claim_rules){
        .issuer = config->auth.issuer != NULL ? mem_strdup(config->auth.issuer) : NULL,
        .audience = copy_strings(&config->auth.audience),
        .admin_roles = copy_strings(&config->auth.admin_roles),
        .known_roles = known_roles(config),
        .user_id_path = mem_strdup(config->auth.claim_user_id),
        .username_path = mem_strdup(config->auth.claim_username),
        .roles_path = mem_strdup(config->auth.claim_roles),
        .clock_skew_ms = config->auth.clock_skew_ms,
    };
}

static void log_unused_keys(const struct config *config) {
    for (size_t i = 0; i < config->auth.key_count; i++) {
        const struct config_key *key = &config->auth.keys[i];

        if (!auth_alg_allowed(&config->auth.algorithms, auth_alg_parse(str_of(key->alg)))) {
            log_warn("key_unused", LF("kid", key->kid != NULL ? key->kid : ""), LF("alg", key->alg),
                     LF("reason", "its algorithm is not in auth.algorithms"));
        }
    }
}

static void keep_first(void *ctx, const char *finding) {
    char **first = ctx;

    if (*first == NULL) {
        *first = mem_strdup(finding);
    }
}

bool auth_check(const struct config *config, config_finding_cb on_problem, void *ctx) {
    struct auth_keystore keys;
    bool ok;

    auth_keystore_init(&keys);
    ok = auth_keys_load(&keys, config, NULL, on_problem, ctx);
    auth_keystore_fini(&keys);
    return ok;
}

/* The public keys in use: they have been found valid. */
static struct auth_checked *checked_keys(const struct auth *now) {
    struct auth_checked *checked = auth_checked_create();

    for (size_t i = 0; now != NULL && i < now->keys.count; i++) {
        if (now->keys.keys[i]->pkey != NULL) {
            auth_checked_add(checked, now->keys.keys[i]->pkey, true);
        }
    }
    return checked;
}

struct auth *auth_prepare(const struct auth *now, const struct config *config,
                          config_finding_cb on_problem, void *ctx) {
    struct auth *a = mem_zalloc(sizeof *a);
    struct auth_checked *checked = checked_keys(now);

    json_object_seed(0); /* a random seed, against chosen collisions; further calls do nothing */
    auth_keystore_init(&a->keys);
    copy_rules(&a->rules, config);
    if (!auth_keys_load(&a->keys, config, checked, on_problem, ctx)) {
        auth_destroy(&a);
    }
    auth_checked_destroy(&checked);
    return a;
}

struct auth *auth_create(const struct config *config, char **problem) {
    struct auth *a;

    *problem = NULL;
    a = auth_prepare(NULL, config, keep_first, problem);
    if (a != NULL) {
        log_unused_keys(config);
    }
    return a;
}

void auth_reload(struct auth *a, const struct config *config, struct auth **next) {
    struct auth before = *a;

    log_unused_keys(config);
    *a = **next;
    a->jwks = before.jwks;
    before.jwks = NULL;
    **next = before;
    auth_destroy(next);
    if (a->jwks != NULL) {
        jwks_configure(a->jwks);
    }
}

void auth_fetch_keys(struct auth *a, const struct config *config,
                     const struct auth_key_source *source) {
    a->jwks = jwks_create(&a->keys, config, source);
    jwks_configure(a->jwks);
}

void auth_watch_keys(struct auth *a, void (*on_fetched)(void *ctx), void *ctx) {
    if (a->jwks != NULL) {
        jwks_watch(a->jwks, on_fetched, ctx);
    }
}

bool auth_await_key(struct auth *a, uint64_t since_boot_ms, uint64_t *wait_ms) {
    return a->jwks != NULL && jwks_await(a->jwks, since_boot_ms, wait_ms);
}

void auth_destroy(struct auth **a) {
    if (*a == NULL) {
        return;
    }
    jwks_destroy(&(*a)->jwks);
    auth_keystore_fini(&(*a)->keys);
    mem_free((*a)->rules.issuer);
    free_strings(&(*a)->rules.audience);
    free_strings(&(*a)->rules.admin_roles);
    free_strings(&(*a)->rules.known_roles);
    mem_free((*a)->rules.user_id_path);
    mem_free((*a)->rules.username_path);
    mem_free((*a)->rules.roles_path);
    mem_free(*a);
    *a = NULL;
}

const char *auth_not_ready(const struct auth *a) {
    if (a->jwks != NULL && jwks_is_missing(a->jwks)) {
        return "the keys of auth.jwks.url have not been fetched";
    }
    return a->keys.count == 0 ? "no key to verify tokens with" : NULL;
}

/* Compares the media type without case, with or without `application/` (RFC 7515 §4.1.9). Tokens of
 * other types may be signed with the same key for another purpose, and are refused. */
static bool typ_is_accepted(const json_t *typ) {
    static const char PREFIX[] = "application/";
    struct str text;

    if (typ == NULL) {
        return true;
    }
    if (!json_is_string(typ)) {
        return false;
    }
    text = jsonr_str(typ);
    if (text.len > sizeof PREFIX - 1 && strncasecmp(text.p, PREFIX, sizeof PREFIX - 1) == 0) {
        text.p += sizeof PREFIX - 1;
        text.len -= sizeof PREFIX - 1;
    }
    return (text.len == 3 && strncasecmp(text.p, "JWT", 3) == 0) ||
           (text.len == 6 && strncasecmp(text.p, "at+jwt", 6) == 0);
}

static enum auth_result check_signature(const struct auth *a, const struct auth_compact *compact,
                                        const char **why) {
    const struct auth_key *key;
    bool unknown;

    if (!typ_is_accepted(json_object_get(compact->header, "typ"))) {
        *why = "the header's typ is neither JWT nor at+jwt";
        return AUTH_INVALID;
    }
    key = auth_keystore_find(&a->keys, compact->alg, compact->kid, &unknown, why);
    if (key == NULL) {
        return unknown && a->jwks != NULL && jwks_may_bring(a->jwks, compact->alg)
                   ? AUTH_UNKNOWN_KEY
                   : AUTH_INVALID;
    }
    if (!auth_key_verify(key, compact->signed_part,
                         (struct str){compact->signature.data, compact->signature.len})) {
        *why = "the signature is wrong";
        return AUTH_INVALID;
    }
    return AUTH_OK;
}

enum auth_result auth_verify(struct auth *a, struct str token, int64_t now_unix_ms,
                             struct auth_identity **identity, const char **why) {
    enum auth_result result = AUTH_INVALID;
    struct auth_compact compact;
    json_t *claims = NULL;

    *identity = NULL;
    *why = auth_compact_read(token, &compact);
    if (*why != NULL) {
        goto done;
    }
    result = check_signature(a, &compact, why);
    if (result != AUTH_OK) {
        goto done;
    }
    result = AUTH_INVALID;
    claims = auth_compact_claims(&compact, why);
    if (claims != NULL) {
        result = auth_claims_read(claims, &a->rules, now_unix_ms, identity, why);
    }
done:
    json_decref(claims);
    auth_compact_fini(&compact);
    return result;
}
