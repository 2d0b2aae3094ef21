/*
 * Makes tokens that auth_verify accepts under the same configuration: for `wslockctl token` and for
 * tests. HMAC keys only.
 */
#ifndef WSLOCK_AUTH_SIGN_H
#define WSLOCK_AUTH_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "wslock/base/macros.h"
#include "wslock/config/config.h"

struct sign_request {
    const char *user_id;
    const char *username; /* or NULL */
    const char *const *roles;
    size_t role_count;
    int64_t issued_unix_ms;
    int64_t ttl_ms;
};

/* The first key of the configuration that can sign (one for HS256, HS384 or HS512), or NULL.
 * Borrowed. */
const struct config_key *sign_find_key(const struct config *config);

/* Signs with that key's secret file; the claims stand where the configuration looks for them, `iss`
 * and `aud` (the first) are set where it asks for them. The token (heap, the caller's), or NULL
 * with *problem (heap, the caller's). */
char *sign_token(const struct config *config, const struct config_key *key,
                 const struct sign_request *request, char **problem) MUST_CHECK;

#endif
