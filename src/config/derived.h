/* What follows the first listener's port where the file does not name it. */
#ifndef WSLOCK_CONFIG_DERIVED_H
#define WSLOCK_CONFIG_DERIVED_H

#include "wslock/config/config.h"

/* Host name and port, unless the file names the instance. */
void config_derive_instance(struct config *c);
/* allowedOrigins of --dev: its own page, under any name of the loopback. */
void config_derive_own_page(struct config *c);

#endif
