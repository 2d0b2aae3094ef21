/* --check-config: problems and warnings beyond those of loading. */
#ifndef WSLOCK_APP_CHECK_H
#define WSLOCK_APP_CHECK_H

#include "options.h"
#include "wslock/config/config.h"

/* Opens the configured files as a start does, but creates nothing. False: the daemon would not
 * start. Also reports warnings. */
bool check_config(const struct config *config, const struct options *options,
                  config_problem_cb on_problem);

#endif
