/* The room's copy of the members. Sends nothing: changed users are listed in room.changed. */
#ifndef WSLOCK_ROOM_MEMBERS_H
#define WSLOCK_ROOM_MEMBERS_H

#include "state.h"

void room_member_join(struct room *room, const struct lock_member *member);
void room_member_leave(struct room *room, const struct lock_member *member);
bool room_has_member(const struct room *room, const struct lock_member *member);
void room_count_members(struct room *room, int64_t count);
void room_take_members(struct room *room, const struct lock_snapshot *snapshot);
/* Sets has_lock of the lock's owner. */
void room_mark_holder(struct room *room, bool has_lock);
void room_user_free(struct room *room, struct room_user *user);
void room_members_clear(struct room *room);

#endif
