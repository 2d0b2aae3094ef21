/* --check-config: what is wrong or will not work well, beyond what loading has found. */
#ifndef WSLOCK_APP_CHECK_H
#define WSLOCK_APP_CHECK_H

#include "options.h"
#include "wslock/config/config.h"

/* Opens the files that the configuration names, as a start does, and makes nothing. False: the
 * daemon would not start. Warnings are reported too, and do not count. */
bool check_config(const struct config *config, const struct options *options,
                  config_problem_cb on_problem);

#endif
