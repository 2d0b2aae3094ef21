/* Applies a change, sends its messages and sets the timers. */
#ifndef WSLOCK_ROOM_TAKE_H
#define WSLOCK_ROOM_TAKE_H

#include "apply.h"

/* Also calls room_change_fini. */
void room_take_change(struct room *room, struct room_change *change);
void room_take_event(struct room *room, const struct lock_event *event);
/* Applies the backlog, unless the room still has to wait. */
void room_replay_backlog(struct room *room);

#endif
