/* The copy of those who wait for the lock, and of a pending takeover. Nothing is told from here. */
#ifndef WSLOCK_ROOM_WAITERS_H
#define WSLOCK_ROOM_WAITERS_H

#include "state.h"

struct room_waiters room_waiters(const struct room *room);
/* A list of its own of what a snapshot has; ended by room_waiters_free. */
void room_waiters_of(const struct lock_snapshot *s, struct list *waiters, struct room_waiters *out);
void room_waiters_free(struct list *waiters);
void room_waiters_clear(struct room *room);

/* NULL: it does not wait. */
struct room_waiter *room_waiter_find(const struct list *waiters, struct str user_id,
                                     struct str client_id);
bool room_waiter_listed(const struct lock_snapshot *s, struct str user_id, struct str client_id);
/* It has the lock, or has it reserved. */
bool room_waiter_has(const struct lock_view *lock, const struct lock_waiter *waiter);
/* The holder is still to answer it. */
static inline bool room_request_is_open(const struct room_waiter *rw) {
    return rw->w.requests && !rw->turn && rw->w.ends_ms > 0;
}

/* A PLACE. True: its place in the queue, or its turn, is over. */
bool room_take_place(struct room *room, const struct lock_event *event);
/* Who has got the lock waits no more, and whose turn it was has had it: those are moved to `over`.
 * The result: whose turn has come now, or NULL. */
const struct room_waiter *room_settle_turns(struct room *room, enum lock_cause cause,
                                            struct list *over);
/* The room's first snapshot. replaced: grows by the records that had another request. */
void room_take_waiters(struct room *room, const struct lock_snapshot *s, struct list *replaced);
/* A later one, after events were missed. gone: grows by those that it has not. */
void room_retake_waiters(struct room *room, const struct lock_snapshot *s, struct list *gone,
                         struct list *replaced);

void room_remember_closed(struct room *room, struct str request_id);
/* Makes the view's takeover the room's own. Gives what the one before lies in, to be freed. */
char *room_keep_takeover(struct room *room, struct lock_takeover *view);

#endif
