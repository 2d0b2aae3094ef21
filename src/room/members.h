/* The copy of who is here. Nothing is told from here: what is to be is in room.changed. */
#ifndef WSLOCK_ROOM_MEMBERS_H
#define WSLOCK_ROOM_MEMBERS_H

#include "state.h"

void room_member_join(struct room *room, const struct lock_member *member);
void room_member_leave(struct room *room, const struct lock_member *member);
void room_count_members(struct room *room, int64_t count);
void room_take_members(struct room *room, const struct lock_snapshot *snapshot);
/* The user whose lock it is, as the room has it, edits (or not). */
void room_mark_holder(struct room *room, bool has_lock);
void room_user_free(struct room *room, struct room_user *user);
void room_members_clear(struct room *room);

#endif
