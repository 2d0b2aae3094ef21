/* Finds a row by its name or by a misspelt name. */
#ifndef WSLOCK_CONFIG_SUGGEST_H
#define WSLOCK_CONFIG_SUGGEST_H

#include "table.h"

/* The row of `name` directly under `prefix`, or NULL. */
const struct config_row *config_row_find(const struct config_scope *scope, const char *prefix,
                                         const char *name);
/* The name there that `name` is probably a misspelling of, or NULL. */
const char *config_suggest(const struct config_scope *scope, const char *prefix, const char *name);

#endif
