/* Messages to the holder that a timer sends. */
#ifndef WSLOCK_ROOM_NOTICES_H
#define WSLOCK_ROOM_NOTICES_H

#include "state.h"

/* Call it after a change of the lock, or of who acts as its holder. */
void room_holder_rearm(struct room *room);

#endif
