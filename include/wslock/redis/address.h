/* Where a server listens, as another server has told. */
#ifndef WSLOCK_REDIS_ADDRESS_H
#define WSLOCK_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"

#define REDIS_HOST_LEN 254 /* with the NUL */

struct redis_address {
    char host[REDIS_HOST_LEN]; /* a name or an address */
    int port;                  /* 0: none */
    bool asking; /* a slot is still being moved there: each command is preceded by ASKING */
};

/* False: host or port cannot be right. */
bool redis_address_set(struct redis_address *a, struct str host, int64_t port) MUST_CHECK;
/* "host:port" or "[address]:port". False: it is neither. */
bool redis_address_parse(struct redis_address *a, struct str text) MUST_CHECK;
/* Whether they are the same server. */
bool redis_address_eq(const struct redis_address *a, const struct redis_address *b);

#endif
