/* Keys, tokens and a certificate, made anew for each run. */
#ifndef WSLOCK_BENCH_KEYS_H
#define WSLOCK_BENCH_KEYS_H

#include <stdbool.h>

#include "wslock/base/macros.h"

#define KEYS_SECRET_BYTES 48

struct keys {
    char secret[KEYS_SECRET_BYTES + 1]; /* HS256 */
    char *es256_private;                /* PEM */
};

enum keys_alg { KEYS_HS256, KEYS_ES256 };

/* Writes into `folder`: hs256 (the secret), es256.pem (public), tls.pem and tls.key. */
bool keys_make(struct keys *k, const char *folder) MUST_CHECK;
void keys_fini(struct keys *k);
/* A token of user `sub` that lives for an hour; the caller's. NULL on failure. */
char *keys_token(const struct keys *k, enum keys_alg alg, const char *user) MUST_CHECK;

#endif
