/* The room's copy of the waiters and of a pending takeover. Sends nothing. */
#ifndef WSLOCK_ROOM_WAITERS_H
#define WSLOCK_ROOM_WAITERS_H

#include "state.h"

struct room_waiters room_waiters(const struct room *room);
/* Fills `waiters` from a snapshot; free it with room_waiters_free. */
void room_waiters_of(const struct lock_snapshot *s, struct list *waiters, struct room_waiters *out);
void room_waiters_free(struct list *waiters);
void room_waiters_clear(struct room *room);

/* NULL: there is none. */
struct room_waiter *room_waiter_find(const struct list *waiters, struct str user_id,
                                     struct str client_id);
bool room_waiter_listed(const struct lock_snapshot *s, struct str user_id, struct str client_id);
/* It owns the lock, or the lock is reserved for it. */
bool room_waiter_has(const struct lock_view *lock, const struct lock_waiter *waiter);
/* The holder has not answered it. */
static inline bool room_request_is_open(const struct room_waiter *rw) {
    return rw->w.requests && !rw->turn && rw->w.ends_ms > 0;
}

/* Applies a WAITER event. True: the place in the queue, or the turn, is over. */
bool room_take_place(struct room *room, const struct lock_event *event);
/* After a change of the lock: moves to `over` the waiter that got the lock, and the one whose turn
 * has ended. Returns the one whose turn has begun, or NULL. */
const struct room_waiter *room_settle_turns(struct room *room, enum lock_cause cause,
                                            struct list *over);
/* From the first snapshot. Records that had another request are moved to `replaced`. */
void room_take_waiters(struct room *room, const struct lock_snapshot *s, struct list *replaced);
/* From a later snapshot, after a gap. Records that it does not have are moved to `gone`. */
void room_retake_waiters(struct room *room, const struct lock_snapshot *s, struct list *gone,
                         struct list *replaced);

void room_remember_closed(struct room *room, struct str request_id);
/* Whether it was closed lately. */
bool room_was_closed(const struct room *room, struct str request_id);
/* Copies the view's takeover into the room. Returns the memory of the previous one (mem_free). */
char *room_keep_takeover(struct room *room, struct lock_takeover *view);

#endif
