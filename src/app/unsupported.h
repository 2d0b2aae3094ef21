/* Keys that are read and checked, but that this version cannot honour (docs/CHANGELOG.md). */
#ifndef WSLOCK_APP_UNSUPPORTED_H
#define WSLOCK_APP_UNSUPPORTED_H

#include "wslock/config/config.h"

/* What the daemon must not start with, since it would promise what it does not do: a static text,
 * or NULL. */
const char *unsupported_check(const struct config *config);
/* All of it as lines for a person, on standard error. */
void unsupported_print(const struct config *config);

#endif
