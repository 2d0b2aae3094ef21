/* Messages to the waiters, and to the holder who is asked for an answer. */
#ifndef WSLOCK_ROOM_TELL_WAITERS_H
#define WSLOCK_ROOM_TELL_WAITERS_H

#include "apply.h"

/* Sends the part of a change that is about places, turns, requests and takeovers. */
void room_tell_waiters(struct room *room, const struct room_change *change);
/* Sends to one subscriber what it has not been notified of. */
void room_catch_up(struct room_sub *sub);
/* Sends lock:holder_disconnected to all. */
void room_tell_disconnected(struct room *room);
void room_tell_takeover_closed(struct room *room, const struct lock_takeover *takeover,
                               struct str outcome, struct str actor);

#endif
