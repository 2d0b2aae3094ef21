/*
 * A verification key. It is bound to one algorithm and checked when it is created, and kept parsed.
 */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"

#include "alg.h"
#include "checked.h"

#define AUTH_RSA_MIN_BITS 2048
#define AUTH_RSA_MAX_BITS 8192
#define AUTH_SHORT_SECRET "the secret is shorter than the algorithm's hash (RFC 7518, section 3.2)"

struct auth_key {
    enum auth_alg alg;
    char *kid; /* or NULL; holds no NUL */
    unsigned char *secret;
    size_t secret_len;
    EVP_PKEY *pkey;
};

/* For an HMAC algorithm; the secret is copied. NULL with a static sentence in *why if it is shorter
 * than the hash. kid may be NULL. */
struct auth_key *auth_key_create_secret(enum auth_alg alg, const char *kid, struct str secret,
                                        const char **why) MUST_CHECK;
/* For any other; takes a reference of its own. NULL with *why if the key is not of the algorithm's
 * kind and curve, is too weak or is not valid. checked may be NULL. */
struct auth_key *auth_key_create_public(enum auth_alg alg, const char *kid, EVP_PKEY *pkey,
                                        const struct auth_checked *checked,
                                        const char **why) MUST_CHECK;
/* Wipes secrets. */
void auth_key_destroy(struct auth_key **key);
/* The HMAC of the bytes, for a key made of a secret. Its length, 0 if OpenSSL fails. */
size_t auth_key_hmac(const struct auth_key *key, struct str bytes,
                     unsigned char out[EVP_MAX_MD_SIZE]) MUST_CHECK;
/* Whether the signature (as JWS carries it) of the bytes is good. */
bool auth_key_verify(const struct auth_key *key, struct str bytes, struct str signature) MUST_CHECK;

#endif
