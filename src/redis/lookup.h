/* Resolves a host's name on the loop. */
#ifndef WSLOCK_SRC_REDIS_LOOKUP_H
#define WSLOCK_SRC_REDIS_LOOKUP_H

#include <stdbool.h>
#include <uv.h>

#include "wslock/base/macros.h"

#define LOOKUP_MAX_ADDRESSES 8
#define LOOKUP_ADDRESS_LEN 64

struct redis_addresses {
    char text[LOOKUP_MAX_ADDRESSES][LOOKUP_ADDRESS_LEN]; /* numeric */
    size_t count;
};

struct redis_lookup;
/* No address: problem is static text. Valid during the call, in a later turn of the loop. */
typedef void (*redis_lookup_cb)(void *ctx, const struct redis_addresses *addresses,
                                const char *problem);

/* Whether host is an address already, which needs no lookup. */
bool redis_is_address(const char *host);
/* NULL with a static *problem. The lookup frees itself after its callback; forget it then. */
struct redis_lookup *redis_lookup_start(uv_loop_t *loop, const char *host, redis_lookup_cb cb,
                                        void *ctx, const char **problem) MUST_CHECK;
/* The callback is not called any more. *lookup may be NULL, and is NULL afterwards. */
void redis_lookup_forget(struct redis_lookup **lookup);

#endif
