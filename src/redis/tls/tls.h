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
 * certificate; NULL: a unix socket, where there is no name to check. False: *problem is static
 * text.
 */
bool redis_tls_start(struct redis_tls *tls, redisContext *c, const char *host,
                     const char **problem) MUST_CHECK;
/* What was wrong with the newest connection's certificate or handshake; "" if nothing was. Valid
 * until the next start. */
const char *redis_tls_problem(const struct redis_tls *tls);

#endif
