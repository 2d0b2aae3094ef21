/* Finding a row by its name, or by one that is nearly it. */
#ifndef WSLOCK_CONFIG_SUGGEST_H
#define WSLOCK_CONFIG_SUGGEST_H

#include "table.h"

/* The row of `name` directly under `prefix`, or NULL. */
const struct config_row *config_row_find(const struct config_scope *scope, const char *prefix,
                                         const char *name);
/* The name there that a typing mistake may have turned into `name`, or NULL. */
const char *config_suggest(const struct config_scope *scope, const char *prefix, const char *name);

#endif
