/* A change's way through a room. */
#ifndef WSLOCK_ROOM_TAKE_H
#define WSLOCK_ROOM_TAKE_H

#include "apply.h"

/* Ends it (room_change_fini). */
void room_take_change(struct room *room, struct room_change *change);
void room_take_event(struct room *room, const struct lock_event *event);
/* What has waited, unless the room is still to wait. */
void room_replay_backlog(struct room *room);

#endif
