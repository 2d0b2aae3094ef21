/* The key files that the configuration names. */
#ifndef AUTH_KEYFILES_H
#define AUTH_KEYFILES_H

#include "wslock/base/buf.h"
#include "wslock/config/config.h"

#include "keystore.h"

/* Adds every key that the configuration names and that is for an algorithm of auth.algorithms.
 * False: what is wrong has been reported. */
bool auth_keys_load(struct auth_keystore *store, const struct config *config,
                    config_finding_cb on_problem, void *ctx) MUST_CHECK;
/* Appends a secret file's bytes, without the line end behind them. False with *why (a static
 * sentence) if it cannot be read or does not do for the algorithm. The caller wipes out in any
 * case. */
bool auth_secret_read(enum auth_alg alg, const char *path, struct buf *out,
                      const char **why) MUST_CHECK;
/* For OpenSSL's readers of PEM: a daemon has no one to ask. */
int auth_no_passphrase(char *buf, int size, int writing, void *ctx);

#endif
