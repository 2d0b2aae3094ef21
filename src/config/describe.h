/* What a key takes, in words. */
#ifndef WSLOCK_CONFIG_DESCRIBE_H
#define WSLOCK_CONFIG_DESCRIBE_H

#include "table.h"

/* Appends a phrase such as "a duration from 100ms to 24h", for problems and the reference page. */
void config_describe(const struct config_row *row, struct buf *out);

#endif
