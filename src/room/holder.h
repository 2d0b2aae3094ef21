/* Who is here that has the lock, and who believes to have it. */
#ifndef WSLOCK_ROOM_HOLDER_H
#define WSLOCK_ROOM_HOLDER_H

#include "state.h"

/* Sets room->holder; after the owner or the subscribers changed. */
void room_holder_find(struct room *room);
/* The holder that is connected here and believes that it has the lock, also before the feed has
 * said so, and what there is to report of it; or NULL. */
struct room_sub *room_believer(const struct room *room, struct lock_report_member *out);
/* Both of whom that could be: the holder that the feed has told of, and who is ahead of it. */
struct room_belief {
    struct room_sub *sub; /* NULL: nobody here */
    int64_t token;
};
void room_beliefs(const struct room *room, struct room_belief out[2]);
/* The lock as the room has it is one that its holder, who is here, was told is lost. */
static inline bool room_is_store_lost(const struct room *room) {
    return room->holder && room->store_lost_token != 0 &&
           room->store_lost_token == room->lock.view.token;
}

#endif
