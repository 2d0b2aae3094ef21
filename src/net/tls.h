/* Certificates and keys of listeners, and how handshakes use them. */
#ifndef WSLOCK_NET_TLS_H
#define WSLOCK_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/macros.h"
#include "wslock/config/config.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* A certificate with its chain and its key. */
struct tls_pair;

/* Reads the files of listen[listener], and checks that certificate and key belong together and that
 * OpenSSL accepts them. NULL: *problem is heap, the caller frees it. */
struct tls_pair *tls_pair_load(const struct config *config, size_t listener,
                               char **problem) MUST_CHECK;
void tls_pair_destroy(struct tls_pair **pair);
/* When the certificate expires. */
int64_t tls_pair_ends_unix_s(const struct tls_pair *pair);
/* A finding (heap) if the certificate has expired, else NULL. */
char *tls_pair_warning(const struct tls_pair *pair, const struct config *config, size_t listener);

/* Handshakes on this context use *pair as it is when the ClientHello has been read. A context keeps
 * its ticket keys when *pair changes, so that sessions can still be resumed. pair must outlive the
 * context. */
void tls_use_pair(struct ssl_ctx_st *context, struct tls_pair *const *pair);
/* For connections that are accepted from now on. min_version: "1.2" or "1.3". */
void tls_set_min_version(struct ssl_ctx_st *context, const char *min_version);

#endif
