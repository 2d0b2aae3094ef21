/* The store's clock, known from its replies. */
#ifndef WSLOCK_SRC_LOCK_STORE_TIME_H
#define WSLOCK_SRC_LOCK_STORE_TIME_H

#include "state.h"

/* A reply says that the store's clock was at now_ms after the call was sent (asked_ms, boot time).
 * Returns by how much the clock was set forward, or back (< 0); 0: it was not. */
int64_t store_time_note(struct lock_store *store, uint64_t asked_ms, int64_t now_ms);
/* Argument 1: the store time after which the call may not run any more. */
void args_not_after(struct script_args *a, const struct lock_store *store);

#endif
