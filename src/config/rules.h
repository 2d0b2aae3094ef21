/* Rules across keys, and what follows from the keys together. */
#ifndef WSLOCK_CONFIG_RULES_H
#define WSLOCK_CONFIG_RULES_H

#include "tree.h"

struct config_rules {
    struct config *config;
    const struct config_node *root;
    struct config_problems *problems;
};

/* Checks all rules and fills in what is derived: the instance's label, the parts of redis.url,
 * passwords. */
void config_check_rules(const struct config_rules *r);

/* The parts: */
void config_check_auth(const struct config_rules *r);
void config_check_listen(const struct config_rules *r);
void config_check_policies(const struct config_rules *r);
void config_check_redis(const struct config_rules *r);

/* Whether the file has this key, also with null. */
bool config_rules_given(const struct config_rules *r, const char *path);
/* A problem at a key, on its line or that of the mapping where it is missing. */
void config_rules_complain(const struct config_rules *r, const char *path, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
