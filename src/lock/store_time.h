/* The clocks of the store's servers, known from replies. */
#ifndef WSLOCK_SRC_LOCK_STORE_TIME_H
#define WSLOCK_SRC_LOCK_STORE_TIME_H

#include "state.h"

/* The server's clock was at now_ms between asked_ms (boot time) and now. Returns by how much it was
 * set forward, or back (< 0); 0: it was not. */
int64_t node_time_note(struct lock_node *node, uint64_t asked_ms, int64_t now_ms);
/* The server has answered since the start. */
bool node_time_known(const struct lock_node *node);
/* A lower bound of the server's time; before its first answer our own. */
int64_t node_now_ms(const struct lock_node *node);
/* Argument 1: the server's time after which the call may not run any more; 0: not known yet. */
void args_not_after(struct script_args *a, const struct lock_node *node);

#endif
