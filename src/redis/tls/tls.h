/* TLS to Redis. Two implementations, one of which CMake picks: with hiredis_ssl (hiredis >= 1.0) or
 * none. */
#ifndef WSLOCK_SRC_REDIS_TLS_TLS_H
#define WSLOCK_SRC_REDIS_TLS_TLS_H

#include "../hiredis_api.h"

struct redis_tls;

/* Reads certificates as the configuration names them. NULL with *problem (heap, caller frees). */
struct redis_tls *redis_tls_create(const struct config *config, char **problem) MUST_CHECK;
void redis_tls_destroy(struct redis_tls **tls);
/* Puts TLS on a context that has just begun to connect. host: who must be named in the server's
 * certificate; NULL: a unix socket, where there is no name to check. False: *problem is valid
 * until the next start. */
bool redis_tls_start(struct redis_tls *tls, redisContext *c, const char *host,
                     const char **problem) MUST_CHECK;
/* Before each read or write of a context that may have TLS: OpenSSL asks for an empty queue of
 * errors, for it tells by the queue how the call went. */
void redis_tls_clear_errors(void);
/* Writes why a started context has failed, or is given up, to out: what was wrong with the
 * certificate or in the handshake, or else the reason, which may be "". Once for each context. */
void redis_tls_explain(struct redis_tls *tls, const redisContext *c, const char *reason, char *out,
                       size_t size);

#endif
