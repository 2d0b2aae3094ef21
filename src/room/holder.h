/* Which subscriber holds the lock, by the feed and by replies that are ahead of the feed. */
#ifndef WSLOCK_ROOM_HOLDER_H
#define WSLOCK_ROOM_HOLDER_H

#include "state.h"

/* Sets room->holder. Call it after the owner or the subscribers have changed. */
void room_holder_find(struct room *room);
/* The subscriber whose tab acts as the holder, by the feed or by a reply that is ahead of it; or
 * NULL. */
struct room_sub *room_assumed_holder(const struct room *room);
/* Up to two subscribers may believe that they hold the lock: the holder by the feed, and one whose
 * reply is ahead of the feed. */
struct room_candidate {
    struct room_sub *sub; /* NULL: none */
    int64_t token;
};
void room_candidates(const struct room *room, struct room_candidate out[2]);
/* The holder is connected here, and got STORE_LOST for this lock. */
static inline bool room_is_store_lost(const struct room *room) {
    return room->holder != NULL && room->store_lost_token != 0 &&
           room->store_lost_token == room->lock.view.token;
}

#endif
