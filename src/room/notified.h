/* What a subscriber is notified of beside the room's changes: its place or turn, its request, and
 * the requests and the takeover that it is to answer. */
#ifndef WSLOCK_ROOM_NOTIFIED_H
#define WSLOCK_ROOM_NOTIFIED_H

#include "state.h"

/* An operator has reserved the lock for this user, on any tab. */
bool room_is_users_turn(const struct lock_view *lock, const struct room_sub *sub);
/* The estimated wait at `position`; -1: unknown. */
int64_t room_wait_ms(const struct room *room, const struct room_waiters *waiters, int64_t position);
struct wire_open_request room_open_request(const struct lock_waiter *waiter);
/* False for NULL. */
bool room_is_newer(const struct lock_snapshot *snapshot, const struct room *room);
/* Everything is to be sent again. */
void room_forget_notified(struct room_sub *sub);
/* For lock_report. *waiters is heap (mem_free), strings borrowed from the room. */
void room_report_waiters(const struct room *room, struct lock_report_waiting *out,
                         struct lock_waiter **waiters);

#endif
