/* Resolves a host's name on the loop. */
#ifndef FETCH_LOOKUP_H
#define FETCH_LOOKUP_H

#include <stdbool.h>
#include <uv.h>

#include "wslock/base/macros.h"

struct lookup;
/* Either problem, or addresses: a list as CURLOPT_RESOLVE takes it. Valid during the call. */
typedef void (*lookup_cb)(void *ctx, const char *problem, const char *addresses);

/* host: a name or an address without brackets; copied. loopback_only: another address is a problem.
 * The lookup is the caller's until done is called, in a later turn. NULL with a static *problem. */
struct lookup *lookup_start(uv_loop_t *loop, const char *host, bool loopback_only, lookup_cb done,
                            void *ctx, const char **problem) MUST_CHECK;
/* done is not called any more. */
void lookup_cancel(struct lookup **lookup);

#endif
