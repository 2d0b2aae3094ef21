/* The rooms of this instance. */
#ifndef WSLOCK_ROOM_ROOMS_H
#define WSLOCK_ROOM_ROOMS_H

#include "state.h"

/* Nobody is in it any more, and it has no lock in grace that only we might know of. */
void room_drop_if_done(struct room *room);

#endif
