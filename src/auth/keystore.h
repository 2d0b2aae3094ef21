/* The keys that tokens may be signed with. */
#ifndef AUTH_KEYSTORE_H
#define AUTH_KEYSTORE_H

#include <jansson.h>

#include "wslock/config/config.h"

#include "jwk.h"
#include "key.h"

#define AUTH_MAX_KEYS 256
#define AUTH_MAX_JWKS_BYTES (1024 * 1024)

struct auth_keystore {
    struct auth_key **keys; /* owned */
    size_t count;
};

void auth_keystore_init(struct auth_keystore *store);
void auth_keystore_fini(struct auth_keystore *store);
/* Whether auth.algorithms has it. NULL allows every algorithm. */
bool auth_alg_allowed(const struct config_strings *allowed, enum auth_alg alg);
/* Takes the key. False (the key is destroyed) when the store is full. */
bool auth_keystore_add(struct auth_keystore *store, struct auth_key *key);
/* Moves the keys from the index first on to *rest, which is not initialized before. */
void auth_keystore_split(struct auth_keystore *store, size_t first, struct auth_keystore *rest);
/* Moves all keys of rest to the end of store; together they must have been in one store. */
void auth_keystore_join(struct auth_keystore *store, struct auth_keystore *rest);
/* The only key of that algorithm that has the kid; where none has it, the only one of that
 * algorithm without a kid. For a token without one (kid.p NULL), the only key of that algorithm.
 * NULL with a static sentence in *why if there is none (*unknown is set) or more than one. */
const struct auth_key *auth_keystore_find(const struct auth_keystore *store, enum auth_alg alg,
                                          struct str kid, bool *unknown, const char **why);

/* Checks the public keys of a JWK Set; it may be called in any thread. The caller destroys the
 * result; NULL if it takes longer than 10 s. */
struct auth_checked *auth_jwks_check(struct str text) MUST_CHECK;
/* Adds the usable keys of a JWK Set (RFC 7517 §5), leaving out, with a log line each, those that
 * are not usable or whose algorithm is not allowed. `allowed` may be NULL for any; source names the
 * set in the log. NULL, or a static sentence when the text is no JWK Set or no key has been added.
 */
const char *auth_jwks_add(struct auth_keystore *store, struct str text,
                          const struct auth_jwk_defaults *defaults,
                          const struct config_strings *allowed, const char *source) MUST_CHECK;

#endif
