/*
 * The signature part of token verification by itself, for test vectors: no claims, any payload.
 */
#ifndef WSLOCK_AUTH_JWS_H
#define WSLOCK_AUTH_JWS_H

#include <stdbool.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"

enum jws_result {
    JWS_VALID,
    JWS_INVALID,
    JWS_BAD_KEY, /* the key is none that tokens could be verified with */
};

/*
 * Verifies a compact JWS (RFC 7515) with a JWK, or with a JWK Set by its kid. Everything is as
 * auth_verify has it but for one thing: an RSA or oct key that names no `alg` is taken for the
 * algorithm that the header names, if it is one of the key's kind. *why is a static sentence, set
 * when the result is not JWS_VALID.
 */
enum jws_result jws_verify_compact(struct str jwk, struct str compact, const char **why) MUST_CHECK;

#endif
