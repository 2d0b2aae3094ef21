/* The rooms of this instance. */
#ifndef WSLOCK_ROOM_ROOMS_H
#define WSLOCK_ROOM_ROOMS_H

#include "state.h"

/* Destroys the room if it has no subscriber and no lock that only this instance may know. */
void room_drop_if_done(struct room *room);

#endif
