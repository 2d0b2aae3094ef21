/* The daemon's life: its modules are started in order, run on one loop, and ended in reverse. */
#ifndef WSLOCK_APP_DAEMON_H
#define WSLOCK_APP_DAEMON_H

#include "options.h"
#include "wslock/config/config.h"

/* Runs until it is told to stop. Takes over the reference to config. */
enum exit_code daemon_run(struct config *config, const struct options *options);

#endif
