/* Rules for the listeners; also fills in ipv6Only and the prefix length of single addresses. */
#ifndef WSLOCK_CONFIG_RULES_NET_H
#define WSLOCK_CONFIG_RULES_NET_H

#include "rule.h"

void config_check_listen(const struct config_rules *r);

#endif
