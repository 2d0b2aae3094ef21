/* Release of a lock whose holder got STORE_LOST. */
#ifndef WSLOCK_ROOM_STORE_LOST_H
#define WSLOCK_ROOM_STORE_LOST_H

#include "state.h"

/* Releases the lock after delay_ms, when the store is back. Does nothing if its holder did not get
 * STORE_LOST. */
void room_release_store_lost(struct room *room, uint64_t delay_ms);

#endif
