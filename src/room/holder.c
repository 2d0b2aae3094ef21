/*
 * What the holder that is connected here is told by time alone: lock:expiring, and lock:lost
 * STORE_LOST while the store is away. Notices only: the lock itself ends in the store.
 */
#include "private.h"

#define IDLE_NOTICE_MS 60000 /* protocol §6: a minute before, or half of idleRelease if less */

static int64_t ttl_notice_at(const struct room *room) {
    const struct lock_view *v = &room->lock.view;
    return v->expires_ms == room->warned_expires_ms ? INT64_MAX
                                                    : v->expires_ms - room->policy->lock_ttl_ms / 5;
}

static int64_t idle_notice_at(const struct room *room) {
    const struct lock_view *v = &room->lock.view;
    if (v->idle_until_ms == 0 || v->idle_until_ms == room->warned_idle_ms)
        return INT64_MAX;
    int64_t half = room->policy->idle_release_ms / 2;
    return v->idle_until_ms - (half < IDLE_NOTICE_MS ? half : IDLE_NOTICE_MS);
}

int64_t room_confirmed_until_ms(const struct room_sub *sub) {
    const struct room *room = sub->room;
    if (!room || room->belief_lost || room_local_holder(room) != sub)
        return 0;
    return lock_store_confirmed_until_ms(room->rooms->store, room->lock.view.expires_ms,
                                         room->policy);
}

static int64_t next_notice_at(const struct room *room, struct room_sub *holder) {
    if (room->belief_lost)
        return INT64_MAX;
    if (room->degraded)
        return room_confirmed_until_ms(holder);
    if (room->lock.view.state != LOCK_STATE_HELD)
        return INT64_MAX;
    int64_t ttl = ttl_notice_at(room);
    int64_t idle = idle_notice_at(room);
    return ttl < idle ? ttl : idle;
}

static void tell_expiring(struct room *room, struct room_sub *holder, int64_t now_ms) {
    const struct lock_view *v = &room->lock.view;
    int64_t ends = v->expires_ms;
    if (v->idle_until_ms != 0 && v->idle_until_ms < ends)
        ends = v->idle_until_ms;
    if (ttl_notice_at(room) <= now_ms)
        room->warned_expires_ms = v->expires_ms;
    if (idle_notice_at(room) <= now_ms)
        room->warned_idle_ms = v->idle_until_ms;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    struct frame *frame = wire_expiring(&to, &at, ends);
    holder->ops->deliver(holder, frame);
    frame_unref(frame);
}

static void on_timer(struct wheel_timer *timer) {
    struct room *room = CONTAINER_OF(timer, struct room, holder_timer);
    struct room_sub *holder = room_local_holder(room);
    if (!holder)
        return;
    int64_t now_ms = lock_store_now_ms(room->rooms->store);
    if (next_notice_at(room, holder) <= now_ms) {
        if (room->degraded) {
            room->belief_lost = true;
            const struct lock_view *v = &room->lock.view;
            holder->min_rev = room->rev - 1; /* the notice stands at the room's last rev */
            room_tell_lost(room, holder->user_id, holder->client_id, room->rev, v->token,
                           LOCK_CAUSE_STORE_LOST, (struct str){NULL, 0});
            return;
        }
        tell_expiring(room, holder, now_ms);
    }
    room_holder_rearm(room);
}

void room_holder_rearm(struct room *room) {
    wheel_cancel(&room->holder_timer);
    struct room_sub *holder = room_local_holder(room);
    if (!holder)
        return;
    int64_t at = next_notice_at(room, holder);
    if (at == INT64_MAX)
        return;
    int64_t wait = at - lock_store_now_ms(room->rooms->store);
    wheel_set(room->rooms->wheel, &room->holder_timer, wait > 0 ? (uint64_t)wait : 1, on_timer);
}

void room_note_lock(struct room_sub *sub, const struct lock_view *lock) {
    struct room *room = sub->room;
    if (!room || room_local_holder(room) != sub || room->lock.view.token != lock->token)
        return;
    room->belief_lost = false; /* it asked again, and has it */
    room->lock.view.expires_ms = lock->expires_ms;
    room->lock.view.idle_until_ms = lock->idle_until_ms;
    room->lock.view.dirty = lock->dirty;
    room_holder_rearm(room);
}
