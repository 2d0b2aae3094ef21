/* Rules for the Redis connection; also fills in the parts of redis.url and the passwords. */
#ifndef WSLOCK_CONFIG_RULES_REDIS_H
#define WSLOCK_CONFIG_RULES_REDIS_H

#include "rule.h"

void config_check_redis(const struct config_rules *r);

#endif
