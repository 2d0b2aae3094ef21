/* Starts the modules in order, runs them on one loop, and ends them in reverse order. */
#ifndef WSLOCK_APP_DAEMON_H
#define WSLOCK_APP_DAEMON_H

#include "options.h"
#include "wslock/config/config.h"

/* Runs until a signal stops it. Takes over config. */
enum exit_code daemon_run(struct config *config, const struct options *options);

#endif
