/* Rules for keys and tokens. */
#ifndef WSLOCK_CONFIG_RULES_AUTH_H
#define WSLOCK_CONFIG_RULES_AUTH_H

#include "rule.h"

void config_check_auth(const struct config_rules *r);

#endif
