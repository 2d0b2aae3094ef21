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
#include "wslock/base/wheel.h"
#include "wslock/config/config.h"

#define AUTH_MAX_TOKEN_BYTES 8192
#define AUTH_MAX_NAME_BYTES 256 /* user id and display name */

enum auth_result {
    AUTH_OK,
    AUTH_INVALID,     /* TOKEN_INVALID */
    AUTH_EXPIRED,     /* TOKEN_EXPIRED */
    AUTH_UNKNOWN_KEY, /* its key may come with a fetch of auth.jwks.url: see auth_await_key */
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

/* One fetch of a key set. url is borrowed until done is called. */
struct auth_fetch {
    const char *url;
    size_t max_bytes;
    uint64_t timeout_ms;
    /* Called once, not from within start. problem NULL: text is the whole document. Both are
     * valid during the call. */
    void (*done)(void *ctx, const char *problem, struct str text);
    void *ctx;
};

/* Work that would hold up the loop. Its owner must not free it before done is called. */
struct auth_work {
    void (*run)(struct auth_work *work); /* in another thread */
    void (*done)(struct auth_work *work);
};

/* How key sets are fetched, one at a time. Borrowed, must outlive the struct auth. */
struct auth_key_source {
    struct wheel *wheel;
    void (*start)(void *ctx, const struct auth_fetch *fetch);
    void (*cancel)(void *ctx); /* done is not called any more */
    /* Has work done, which nothing cancels. done is called in a later turn of the loop. */
    void (*work)(void *ctx, struct auth_work *work);
    void *ctx;
};

/* Reports every problem that auth_create would have; false if there is any. */
bool auth_check(const struct config *config, config_finding_cb on_problem, void *ctx) MUST_CHECK;
/* Loads the keys that the configuration names. NULL with *problem set (heap, caller frees) when a
 * file cannot be read or holds no usable key. */
struct auth *auth_create(const struct config *config, char **problem) MUST_CHECK;
/* Loads what auth_reload takes; keys that `now` has too are not checked again. NULL after every
 * problem has been reported. */
struct auth *auth_prepare(const struct auth *now, const struct config *config,
                          config_finding_cb on_problem, void *ctx) MUST_CHECK;
/* Takes the keys and the rules of *next, which auth_prepare has made of config, and destroys those
 * before. Identities that are verified already stay as they are. */
void auth_reload(struct auth *a, const struct config *config, struct auth **next);
void auth_destroy(struct auth **a);
/* From here on auth.jwks.url is fetched, if it is set, also by a reload. config is the one in
 * force, and is borrowed as long as a lives. */
void auth_fetch_keys(struct auth *a, const struct config *config,
                     const struct auth_key_source *source);
/* on_fetched is called after each fetch, whatever it brought; it may verify tokens. NULL: nobody is
 * told. */
void auth_watch_keys(struct auth *a, void (*on_fetched)(void *ctx), void *ctx);
/* For a token with AUTH_UNKNOWN_KEY, which came at that boot time: sees to it that the keys are
 * fetched. *wait_ms: how long until that fetch begins, 0 if it is under way. False: a fetch that
 * began later has succeeded, and has not brought the key; the token is invalid. */
bool auth_await_key(struct auth *a, uint64_t since_boot_ms, uint64_t *wait_ms) MUST_CHECK;
/* NULL if the configured keys are loaded, else a static text (readiness). */
const char *auth_not_ready(const struct auth *a);
/* *why is a static English sentence for the log, set when the result is not AUTH_OK. */
enum auth_result auth_verify(struct auth *a, struct str token, int64_t now_unix_ms,
                             struct auth_identity **identity, const char **why) MUST_CHECK;
void auth_identity_destroy(struct auth_identity **identity);
bool auth_identity_has_role(const struct auth_identity *id, const struct config_strings *roles);

#endif
