/* All rules across keys. */
#ifndef WSLOCK_CONFIG_RULES_H
#define WSLOCK_CONFIG_RULES_H

#include "rule.h"

/* Checks all rules and fills in what is derived: the instance's label, the parts of redis.url,
 * passwords. */
void config_check_rules(const struct config_rules *r);

#endif
