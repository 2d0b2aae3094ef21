/* Verifies a compact JWS with a given key, for test vectors. */
#include "wslock/auth/jws.h"

#include "wslock/base/jsonr.h"

#include "compact.h"
#include "keystore.h"

/* *owned holds the key if it is not the store's. */
static const struct auth_key *find_key(struct auth_keystore *store, struct str jwk,
                                       const struct auth_compact *compact, struct auth_key **owned,
                                       const char **why) {
    bool unknown;
    const struct auth_jwk_defaults defaults = {.rsa = compact->alg, .oct = compact->alg};
    json_t *json = jsonr_object(jwk, NULL);

    *why = "the key is not one JSON object";
    if (json != NULL && json_object_get(json, "keys") != NULL) {
        *why = auth_jwks_add(store, jwk, &defaults, NULL, "jwk");
    } else if (json != NULL) {
        *owned = auth_jwk_read(json, &defaults, why);
    }
    json_decref(json);
    if (store->count == 0) {
        return *owned;
    }
    return auth_keystore_find(store, compact->alg, compact->kid, &unknown, why);
}

enum jws_result jws_verify_compact(struct str jwk, struct str compact, const char **why) {
    enum jws_result result = JWS_INVALID;
    struct auth_compact parts;
    struct auth_keystore store;
    struct auth_key *owned = NULL;
    const struct auth_key *key;

    auth_keystore_init(&store);
    *why = auth_compact_read(compact, &parts);
    if (*why != NULL) {
        goto done;
    }
    key = find_key(&store, jwk, &parts, &owned, why);
    if (key == NULL) {
        result = store.count > 0 ? JWS_INVALID : JWS_BAD_KEY;
    } else if (key->alg != parts.alg) {
        *why = "the header's alg is not the key's";
    } else if (!auth_key_verify(key, parts.signed_part,
                                (struct str){parts.signature.data, parts.signature.len})) {
        *why = "the signature is wrong";
    } else {
        *why = NULL;
        result = JWS_VALID;
    }
done:
    auth_key_destroy(&owned);
    auth_keystore_fini(&store);
    auth_compact_fini(&parts);
    return result;
}
