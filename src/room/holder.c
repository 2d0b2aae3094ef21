/* Finds the subscriber that holds the lock. */
#include "holder.h"

void room_holder_find(struct room *room) {
    const struct lock_view *v = &room->lock.view;
    room->holder = NULL;
    if (!lock_is_owned(v)) {
        return;
    }
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        if (sub->member && room_is_tab(sub, v->user_id, v->client_id)) {
            room->holder = sub; /* the newest connection; the others are being closed */
        }
    }
    if (room->holder != NULL) {
        room->ours = v->token;
    }
}

static struct room_sub *holds(const struct room *room, struct room_sub *sub, int64_t token) {
    if (sub == NULL || token == room->store_lost_token || !sub->ops->holds(sub, token)) {
        return NULL;
    }
    return sub;
}

struct room_sub *room_assumed_holder(const struct room *room) {
    if (room->ahead != NULL) {
        return holds(room, room->ahead, room->ahead_token);
    }
    return holds(room, room->holder, room->lock.view.token);
}

void room_candidates(const struct room *room, struct room_candidate out[2]) {
    out[0] = (struct room_candidate){.token = room->lock.view.token};
    out[1] = (struct room_candidate){.token = room->ahead_token};
    out[0].sub = holds(room, room->holder, out[0].token);
    out[1].sub = holds(room, room->ahead, out[1].token);
}
