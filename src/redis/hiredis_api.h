/*
 * Every file of this folder includes hiredis through this header, after link.h: the macros REDIS_OK
 * and REDIS_ERR would break the enum of link.h (REDIS_OK is 0 in both).
 */
#ifndef WSLOCK_SRC_REDIS_HIREDIS_API_H
#define WSLOCK_SRC_REDIS_HIREDIS_API_H

#include "wslock/redis/link.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#endif
