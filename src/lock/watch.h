/* Decides when the store goes away, and whether the server of a node is usable. */
#ifndef WSLOCK_SRC_LOCK_WATCH_H
#define WSLOCK_SRC_LOCK_WATCH_H

#include "state.h"

void watch_init(struct lock_node *node);
void watch_fini(struct lock_node *node);
/* The connection for commands is up: queries the server and the rights; if they fit, the shards are
 * opened. */
void watch_link_up(struct lock_node *node);
void watch_link_down(struct lock_node *node);

#endif
