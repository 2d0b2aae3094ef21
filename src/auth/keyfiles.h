/* The key files that the configuration names. */
#ifndef AUTH_KEYFILES_H
#define AUTH_KEYFILES_H

#include "wslock/base/buf.h"
#include "wslock/config/config.h"

#include "keystore.h"

/* Adds every key that the configuration names and that is for an algorithm of auth.algorithms.
 * checked may be NULL. False after a problem has been reported. */
bool auth_keys_load(struct auth_keystore *store, const struct config *config,
                    const struct auth_checked *checked, config_finding_cb on_problem,
                    void *ctx) MUST_CHECK;
/* What the configured algorithms bind keys of a set to. */
struct auth_jwk_defaults auth_jwk_defaults_of(const struct config *config);
/* Appends a secret file's bytes without a final line break. False with *why (a static sentence) if
 * the file cannot be read or does not suit the algorithm. The caller wipes `out` in any case. */
bool auth_secret_read(enum auth_alg alg, const char *path, struct buf *out,
                      const char **why) MUST_CHECK;
/* OpenSSL's passphrase callback for PEM: gives none, as a daemon cannot ask. */
int auth_no_passphrase(char *buf, int size, int writing, void *ctx);

#endif
