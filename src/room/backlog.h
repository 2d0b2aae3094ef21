/* Events that the room cannot apply yet. */
#ifndef WSLOCK_ROOM_BACKLOG_H
#define WSLOCK_ROOM_BACKLOG_H

#include "state.h"

void room_backlog_add(struct room *room, const struct lock_event *event);
/* Removes the oldest; the caller frees it (mem_free). NULL: none. */
struct room_event *room_backlog_next(struct room *room);
void room_backlog_clear(struct room *room);
/* The tick up to which all events have been applied. */
int64_t room_events_known(const struct room *room);

#endif
