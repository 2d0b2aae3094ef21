/* Decides when the store goes away, and whether the server is usable. */
#ifndef WSLOCK_SRC_LOCK_WATCH_H
#define WSLOCK_SRC_LOCK_WATCH_H

#include "state.h"

void watch_init(struct lock_store *store);
void watch_fini(struct lock_store *store);
/* The connection for commands is up: queries the server and the rights; if they fit, the shards are
 * opened. */
void watch_link_up(struct lock_store *store);
void watch_link_down(struct lock_store *store);

#endif
