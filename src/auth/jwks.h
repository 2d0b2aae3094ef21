/*
 * The key set of auth.jwks.url: when it is fetched, and how long its keys are used.
 *
 * It is fetched at the start, then every `refresh`, and every `cooldown` after a failure or when a
 * token names a key that is not known. Fetches begin at least `cooldown` apart. A fetch that fails
 * changes nothing; keys that could not be fetched again for `maxAge` are dropped.
 */
#ifndef AUTH_JWKS_H
#define AUTH_JWKS_H

#include "keystore.h"
#include "wslock/auth/auth.h"

struct jwks;

/* Before jwks_configure nothing is fetched. Its keys stand behind all others of store; everything
 * is borrowed and must outlive the result. */
struct jwks *jwks_create(struct auth_keystore *store, const struct config *config,
                         const struct auth_key_source *source) MUST_CHECK;
void jwks_destroy(struct jwks **jwks);
/* At the start, and after a reload: store holds only the other keys. Keys of the same URL stay in
 * use, by the new rules. */
void jwks_configure(struct jwks *jwks);
/* A URL is configured, and its keys are not there. */
bool jwks_is_missing(const struct jwks *jwks);
/* Whether its set may hold a key for the algorithm. */
bool jwks_may_bring(const struct jwks *jwks, enum auth_alg alg);
/* See auth_await_key and auth_watch_keys. */
bool jwks_await(struct jwks *jwks, uint64_t since_boot_ms, uint64_t *wait_ms) MUST_CHECK;
void jwks_watch(struct jwks *jwks, void (*on_fetched)(void *ctx), void *ctx);

#endif
