/* JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037). */
#ifndef AUTH_JWK_H
#define AUTH_JWK_H

#include <jansson.h>

#include "key.h"

struct auth_checked;

struct auth_jwk_defaults {
    /* The algorithm of a JWK without `alg` whose kind allows several. AUTH_ALG_NONE: such a key is
     * refused. */
    enum auth_alg rsa, oct;
    bool public_only;                   /* `oct` keys are refused: others can read the set too */
    const struct auth_checked *checked; /* borrowed, or NULL: every key is checked now */
};

/* Makes a verification key; private parts are ignored. NULL with a static sentence in *why for what
 * is not one: another `use`, `key_ops` without `verify`, an algorithm that is not known or does not
 * fit the kind, members missing or malformed, a weak or invalid key. */
struct auth_key *auth_jwk_read(const json_t *jwk, const struct auth_jwk_defaults *defaults,
                               const char **why) MUST_CHECK;

/* The public key of a JWK of whatever algorithm, its numbers not checked. The caller frees it. NULL
 * if it is none that auth_jwk_read would take. */
EVP_PKEY *auth_jwk_pkey(const json_t *jwk) MUST_CHECK;

#endif
