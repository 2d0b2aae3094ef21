/*
 * Token verification: a compact JWS (RFC 7515) with JWT claims (RFC 7519), checked strictly by code
 * of our own over OpenSSL. The key and its algorithm are pinned by `kid` (or, where the token or
 * the key has none, by being the only candidate of that algorithm) before anything in the token is
 * believed.
 */
#ifndef WSLOCK_AUTH_AUTH_H
#define WSLOCK_AUTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"
#include "wslock/base/str.h"
#include "wslock/config/config.h"

#define AUTH_MAX_TOKEN_BYTES 8192
#define AUTH_MAX_NAME_BYTES 256 /* user id and display name */

enum auth_result {
    AUTH_OK,
    AUTH_INVALID, /* TOKEN_INVALID */
    AUTH_EXPIRED, /* TOKEN_EXPIRED */
};

/* Who a token says is there. Owned by the caller of auth_verify. */
struct auth_identity {
    char *user_id;  /* 1..256 bytes as the token has them: not blank, no control characters */
    char *username; /* 1..256 bytes, as it is shown; made of the user id where the token's is
                       missing or blank */
    const char *name_note; /* what was done to the token's name: a static sentence; NULL: nothing */
    char **roles;          /* those that the configuration names, each once */
    size_t role_count;
    bool admin;               /* one of auth.adminRoles */
    int64_t expires_unix_ms;  /* exp, without the skew */
    int64_t deadline_unix_ms; /* exp + clockSkew: when the connection ends */
    char *token_id;           /* jti, or NULL */
    char *issuer;             /* iss, or NULL */
};

struct auth;

/* Reports every problem that auth_create would have; false if there is any. */
bool auth_check(const struct config *config, config_finding_cb on_problem, void *ctx) MUST_CHECK;
/* Loads the keys that the configuration names. NULL with *problem set (heap, caller frees) when a
 * file cannot be read or holds no usable key. */
struct auth *auth_create(const struct config *config, char **problem) MUST_CHECK;
/* Loads what auth_reload takes. NULL after every problem has been reported. */
struct auth *auth_prepare(const struct config *config, config_finding_cb on_problem,
                          void *ctx) MUST_CHECK;
/* Takes the keys and the rules of *next, which auth_prepare has made of config, and destroys those
 * before. Identities that are verified already stay as they are. */
void auth_reload(struct auth *a, const struct config *config, struct auth **next);
void auth_destroy(struct auth **a);
/* Whether at least one key is loaded (readiness). */
bool auth_ready(const struct auth *a);
/* *why is a static English sentence for the log, set when the result is not AUTH_OK. */
enum auth_result auth_verify(struct auth *a, struct str token, int64_t now_unix_ms,
                             struct auth_identity **identity, const char **why) MUST_CHECK;
void auth_identity_destroy(struct auth_identity **identity);
bool auth_identity_has_role(const struct auth_identity *id, const struct config_strings *roles);

#endif
