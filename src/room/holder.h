/* Which subscriber has the lock, and which one believes to have it. */
#ifndef WSLOCK_ROOM_HOLDER_H
#define WSLOCK_ROOM_HOLDER_H

#include "state.h"

/* Sets room->holder. Call it after the owner or the subscribers have changed. */
void room_holder_find(struct room *room);
/* The subscriber that believes to hold the lock, also if only a reply has said so, with its report;
 * or NULL. */
struct room_sub *room_believer(const struct room *room, struct lock_report_member *out);
/* Both candidates: the holder by the feed, and the one that is ahead of the feed. */
struct room_belief {
    struct room_sub *sub; /* NULL: none */
    int64_t token;
};
void room_beliefs(const struct room *room, struct room_belief out[2]);
/* The holder is connected here, and got STORE_LOST for this lock. */
static inline bool room_is_store_lost(const struct room *room) {
    return room->holder != NULL && room->store_lost_token != 0 &&
           room->store_lost_token == room->lock.view.token;
}

#endif
