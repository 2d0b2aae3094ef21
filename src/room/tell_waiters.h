/* What those who wait are told, and who is asked for an answer. */
#ifndef WSLOCK_ROOM_TELL_WAITERS_H
#define WSLOCK_ROOM_TELL_WAITERS_H

#include "apply.h"

/* The part of a change that is about places, turns, requests and takeovers. */
void room_tell_waiters(struct room *room, const struct room_change *change);
/* To one what it has not been told of what waits for it. */
void room_catch_up(struct room_sub *sub);
/* The holder's connection is gone, and the lock may be claimed. */
void room_tell_disconnected(struct room *room);
void room_tell_takeover_closed(struct room *room, const struct lock_takeover *takeover,
                               struct str outcome, struct str actor);

#endif
