/* What a rule across keys works on, and how it reports a problem. */
#ifndef WSLOCK_CONFIG_RULE_H
#define WSLOCK_CONFIG_RULE_H

#include "tree.h"

struct config_rules {
    struct config *config;
    const struct config_node *root;
    struct config_problems *problems;
};

/* Whether the file has this key, also with null. */
bool config_rules_given(const struct config_rules *r, const char *path);
/* Adds a problem at a key, on its line or on that of the nearest mapping around it. */
void config_rules_complain(const struct config_rules *r, const char *path, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
