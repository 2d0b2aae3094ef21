/* What each type of the table does: read from a node, print, free. */
#ifndef WSLOCK_CONFIG_VALUE_H
#define WSLOCK_CONFIG_VALUE_H

#include "table.h"
#include "tree.h"

/* Fills the field of `row` in the struct at `base`, which holds a value already and keeps it after
 * a problem. For SECTION rows only null is handled; not for STRUCT, LIST and NAMED. */
void config_value_read(const struct config_row *row, const struct config_node *node,
                       const char *path, void *base, struct config_problems *problems);
/* As YAML in flow style. SECTION, STRUCT, LIST and NAMED have no print of their own. */
void config_value_print(const struct config_row *row, const void *base, struct buf *out);
/* Whether the field is null, or a list of nothing that was not set. */
bool config_value_is_null(const struct config_row *row, const void *base);
void config_value_fini(const struct config_row *row, void *base);
/* Of the field, in bytes; of a LIST or NAMED the pointer to its items. Not for STRUCT. */
size_t config_value_size(const struct config_row *row);
/* Not for STRUCT, LIST and NAMED. */
bool config_value_equals(const struct config_row *row, const void *a, const void *b);

/* A YAML text in double quotes, with `${` written as `$${`. */
void config_print_quoted(const char *text, struct buf *out);

#endif
