/* Who is here, as it is told: by user, gathered. */
#ifndef WSLOCK_ROOM_PRESENCE_H
#define WSLOCK_ROOM_PRESENCE_H

#include "state.h"

/* After a change: what it brought is told a while later. */
void room_presence_arm(struct room *room);
/* What the first snapshot brought was told by resource:joined: no diff repeats it. */
void room_settle_presence(struct room *room);

#endif
