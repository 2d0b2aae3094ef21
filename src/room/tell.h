/* Makes the messages about a change of the room and chooses their receivers. All other messages of
 * a room are sent by timers (notices.h, presence.h). */
#ifndef WSLOCK_ROOM_TELL_H
#define WSLOCK_ROOM_TELL_H

#include "apply.h"

void room_tell_change(struct room *room, const struct room_change *change);
void room_tell_lock(struct room *room, enum lock_cause cause);
/* by: who caused the loss, or empty; a user id if the presence of the type is minimal. */
void room_tell_lost(struct room *room, struct str user_id, struct str client_id, int64_t token,
                    enum lock_cause reason, struct str by);

#endif
