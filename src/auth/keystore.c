/* The loaded keys, found by algorithm and kid. */
#include "keystore.h"

#include <openssl/err.h>

#include "wslock/base/clock.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"

#define CHECK_MAX_MS 10000

void auth_keystore_init(struct auth_keystore *store) {
    *store = (struct auth_keystore){0};
}

void auth_keystore_fini(struct auth_keystore *store) {
    for (size_t i = 0; i < store->count; i++) {
        auth_key_destroy(&store->keys[i]);
    }
    mem_free(store->keys);
    auth_keystore_init(store);
}

bool auth_keystore_add(struct auth_keystore *store, struct auth_key *key) {
    if (store->count >= AUTH_MAX_KEYS) {
        auth_key_destroy(&key);
        return false;
    }
    store->keys = mem_realloc(store->keys, (store->count + 1) * sizeof(struct auth_key *));
    store->keys[store->count++] = key;
    return true;
}

void auth_keystore_split(struct auth_keystore *store, size_t first, struct auth_keystore *rest) {
    auth_keystore_init(rest);
    rest->count = store->count - first;
    rest->keys = rest->count > 0 ? mem_calloc(rest->count, sizeof *rest->keys) : NULL;
    for (size_t i = 0; i < rest->count; i++) {
        rest->keys[i] = store->keys[first + i];
    }
    store->count = first;
}

void auth_keystore_join(struct auth_keystore *store, struct auth_keystore *rest) {
    for (size_t i = 0; i < rest->count; i++) {
        (void)auth_keystore_add(store, rest->keys[i]);
    }
    rest->count = 0;
    auth_keystore_fini(rest);
}

static bool has_kid(const struct auth_key *key, struct str kid) {
    return key->kid != NULL && str_eqz(kid, key->kid);
}

static bool has_no_kid(const struct auth_key *key, struct str kid) {
    (void)kid;
    return key->kid == NULL;
}

static bool is_any(const struct auth_key *key, struct str kid) {
    (void)key;
    (void)kid;
    return true;
}

/* The only fitting key of the algorithm; *count: the number of fitting keys. */
static const struct auth_key *only_one(const struct auth_keystore *store, enum auth_alg alg,
                                       struct str kid,
                                       bool (*fits)(const struct auth_key *key, struct str kid),
                                       size_t *count) {
    const struct auth_key *found = NULL;

    *count = 0;
    for (size_t i = 0; i < store->count; i++) {
        if (store->keys[i]->alg == alg && fits(store->keys[i], kid)) {
            found = store->keys[i];
            ++*count;
        }
    }
    return *count == 1 ? found : NULL;
}

const struct auth_key *auth_keystore_find(const struct auth_keystore *store, enum auth_alg alg,
                                          struct str kid, bool *unknown, const char **why) {
    const struct auth_key *found;
    size_t count;

    *unknown = false;
    if (kid.p == NULL) {
        found = only_one(store, alg, kid, is_any, &count);
        *unknown = count == 0;
        *why = count == 0 ? "no key has the token's algorithm"
                          : "the token names no kid, and several keys have its algorithm";
        return found;
    }
    found = only_one(store, alg, kid, has_kid, &count);
    *why = "several keys have the token's kid and algorithm";
    if (count > 0) {
        return found;
    }
    found = only_one(store, alg, kid, has_no_kid, &count);
    *unknown = count == 0;
    *why = count == 0 ? "no key has the token's kid and algorithm"
                      : "no key has the token's kid, and several without one have its algorithm";
    return found;
}

bool auth_alg_allowed(const struct config_strings *allowed, enum auth_alg alg) {
    if (allowed == NULL) {
        return true;
    }
    for (size_t i = 0; i < allowed->count; i++) {
        if (auth_alg_parse(str_of(allowed->items[i])) == alg) {
            return true;
        }
    }
    return false;
}

/* A fetched set that changes may have much to tell, again and again. */
static bool may_log(void) {
    static struct log_limit limit;

    return log_limit_pass(&limit, AUTH_MAX_KEYS);
}

static void log_skipped(const char *source, size_t index, const json_t *jwk, const char *why) {
    const json_t *kid = json_object_get(jwk, "kid");
    struct str text = json_is_string(kid) ? jsonr_str(kid) : str_of("");

    if (may_log()) {
        log_warn("jwks_key_skipped", LF("source", source), LFI("index", index), LFS("kid", text),
                 LF("reason", why));
    }
}

static void add_jwk(struct auth_keystore *store, const json_t *jwk, size_t index,
                    const struct auth_jwk_defaults *defaults, const struct config_strings *allowed,
                    const char *source) {
    const char *why = NULL;
    struct auth_key *key = auth_jwk_read(jwk, defaults, &why);
    const char *kid;

    if (key == NULL) {
        log_skipped(source, index, jwk, why);
        return;
    }
    if (!auth_alg_allowed(allowed, key->alg)) {
        auth_key_destroy(&key);
        log_skipped(source, index, jwk, "its algorithm is not in auth.algorithms");
        return;
    }
    for (size_t i = 0; key->kid != NULL && i < store->count; i++) {
        const struct auth_key *other = store->keys[i];

        if (other->alg == key->alg && other->kid != NULL && str_eqz(str_of(key->kid), other->kid) &&
            may_log()) {
            log_warn("jwks_kid_ambiguous", LF("source", source), LF("kid", key->kid),
                     LF("reason", "another key has this kid and algorithm: neither is used"));
        }
    }
    kid = key->kid;
    if (!auth_keystore_add(store, key)) {
        log_skipped(source, index, jwk, "there are more than 256 keys");
    } else {
        log_debug("jwks_key", LF("source", source), LF("kid", kid != NULL ? kid : ""),
                  LF("alg", auth_alg_info(key->alg)->name));
    }
}

struct auth_checked *auth_jwks_check(struct str text) {
    uint64_t begin_ms = clock_boot_ms();
    struct auth_checked *checked = auth_checked_create();
    json_t *set = jsonr_object(text, NULL);
    const json_t *keys = json_object_get(set, "keys");
    const size_t count = json_array_size(keys) <= AUTH_MAX_KEYS ? json_array_size(keys) : 0;

    for (size_t i = 0; checked != NULL && i < count; i++) {
        EVP_PKEY *pkey = auth_jwk_pkey(json_array_get(keys, i));

        if (pkey != NULL) {
            auth_checked_add(checked, pkey, auth_checked_is_valid(checked, pkey));
        }
        EVP_PKEY_free(pkey);
        if (clock_boot_ms() - begin_ms > CHECK_MAX_MS) {
            auth_checked_destroy(&checked);
        }
    }
    ERR_clear_error();
    json_decref(set);
    return checked;
}

const char *auth_jwks_add(struct auth_keystore *store, struct str text,
                          const struct auth_jwk_defaults *defaults,
                          const struct config_strings *allowed, const char *source) {
    size_t before = store->count;
    json_t *set = jsonr_object(text, NULL);
    const json_t *keys = json_object_get(set, "keys");
    const char *problem = NULL;

    if (!json_is_array(keys)) {
        problem = "not a JSON Web Key Set (an object with an array `keys`)";
    } else if (json_array_size(keys) > AUTH_MAX_KEYS) {
        problem = "the set has more than 256 keys";
    }
    for (size_t i = 0; problem == NULL && i < json_array_size(keys); i++) {
        add_jwk(store, json_array_get(keys, i), i, defaults, allowed, source);
    }
    if (problem == NULL && store->count == before) {
        problem = "holds no key that can be used (the log says why, key by key)";
    }
    json_decref(set);
    return problem;
}
