/* Which servers will do: Redis 7.0 and Valkey 7.2 are the oldest. */
#ifndef WSLOCK_REDIS_VERSION_H
#define WSLOCK_REDIS_VERSION_H

#include <stdbool.h>
#include <stddef.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"

/* info: what INFO answers. False: *problem is one sentence that says why it will not do. */
bool redis_version_fits(struct str info, char *problem, size_t size) MUST_CHECK;

#endif
