/*
 * The only way hiredis comes into this module. Its macros REDIS_OK and REDIS_ERR would break the
 * enum of link.h if they came first (as values they agree: both are 0 for success).
 */
#ifndef WSLOCK_SRC_REDIS_HIREDIS_API_H
#define WSLOCK_SRC_REDIS_HIREDIS_API_H

#include "wslock/redis/link.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#endif
