/* How a rule reads the file and reports a problem. */
#include "rule.h"

#include <stdarg.h>
#include <stdio.h>

bool config_rules_given(const struct config_rules *r, const char *path) {
    return config_tree_find(r->root, path) != NULL;
}

void config_rules_complain(const struct config_rules *r, const char *path, const char *fmt, ...) {
    const struct config_node *node = config_tree_nearest(r->root, path);
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    config_problems_add(r->problems, node->file, node->line, path, "%s", text);
}
