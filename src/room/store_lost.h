/* A lock whose holder was told STORE_LOST. */
#ifndef WSLOCK_ROOM_STORE_LOST_H
#define WSLOCK_ROOM_STORE_LOST_H

#include "state.h"

/* When the store is back. Harmless where the holder's belief stands. */
void room_release_store_lost(struct room *room, uint64_t delay_ms);

#endif
