/* presence:diff and presence:update. */
#ifndef WSLOCK_ROOM_PRESENCE_H
#define WSLOCK_ROOM_PRESENCE_H

#include "state.h"

/* Call it after a change; the message follows after a delay. */
void room_presence_arm(struct room *room);
/* After the first snapshot: resource:joined lists its users, so no diff repeats them. */
void room_settle_presence(struct room *room);
/* A report may have changed members that joins below the report's rev know otherwise. */
void room_presence_reported(struct room *room);

#endif
