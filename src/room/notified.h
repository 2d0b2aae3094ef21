/* What waits for one tab, or for its answer, as the room or a snapshot has it. */
#ifndef WSLOCK_ROOM_NOTIFIED_H
#define WSLOCK_ROOM_NOTIFIED_H

#include "state.h"

/* An operator has the lock reserved for this user, on whatever tab. */
bool room_is_users_turn(const struct lock_view *lock, const struct room_sub *sub);
/* Until the lock may come to the one at `position`; -1: nobody knows. */
int64_t room_wait_ms(const struct room *room, const struct room_waiters *waiters, int64_t position);
struct wire_open_request room_open_request(const struct lock_waiter *waiter);
/* NULL is not. */
bool room_is_newer(const struct lock_snapshot *snapshot, const struct room *room);
/* All that waits for this one is to be told again. */
void room_forget_notified(struct room_sub *sub);
/* For lock_report; *waiters is heap (mem_free), its strings are the room's. */
void room_report_waiters(const struct room *room, struct lock_report_waiting *out,
                         struct lock_waiter **waiters);

#endif
