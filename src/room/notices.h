/* What the holder is told by time alone. */
#ifndef WSLOCK_ROOM_NOTICES_H
#define WSLOCK_ROOM_NOTICES_H

#include "state.h"

/* After the lock, who holds it here, or what it believes has changed. */
void room_holder_rearm(struct room *room);

#endif
