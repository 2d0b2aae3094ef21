/* Keys that are checked but not supported by this version (docs/CHANGELOG.md). */
#ifndef WSLOCK_APP_UNSUPPORTED_H
#define WSLOCK_APP_UNSUPPORTED_H

#include "wslock/config/config.h"

/* With one the daemon does not start. finding: as config_complain takes it. */
typedef void (*unsupported_cb)(void *ctx, const char *finding);

void unsupported_each(const struct config *config, unsupported_cb on_found, void *ctx);
/* The first finding (heap), or NULL. */
char *unsupported_problem(const struct config *config);

#endif
