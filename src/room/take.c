/* Takes events and changes: applies them, then tells them. */
#include "take.h"

#include "backlog.h"
#include "notices.h"
#include "presence.h"
#include "store_lost.h"
#include "tell.h"
#include "wslock/base/mem.h"

void room_take_change(struct room *room, struct room_change *change) {
    room_tell_change(room, change);
    if (change->lock_changed) {
        room_release_store_lost(room, 1);
        room_holder_rearm(room);
    }
    room_presence_arm(room);
    room_change_fini(change);
}

void room_take_event(struct room *room, const struct lock_event *event) {
    struct room_change change;
    if (room_apply_event(room, event, &change)) {
        room_take_change(room, &change);
    }
}

void room_replay_backlog(struct room *room) {
    struct room_event *e;
    while (room->synced && !room->degraded && ((e = room_backlog_next(room)) != NULL)) {
        room_take_event(room, &e->event);
        mem_free(e);
    }
}
