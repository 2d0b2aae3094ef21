/* Rules for the policies: `default` and resourceTypes. */
#ifndef WSLOCK_CONFIG_RULES_POLICY_H
#define WSLOCK_CONFIG_RULES_POLICY_H

#include "rule.h"

void config_check_policies(const struct config_rules *r);

#endif
