/*
 * Messages to the holder that a timer sends: lock:expiring, and lock:lost STORE_LOST while the
 * store is away. They do not end the lock: only the store does.
 */
#include "notices.h"

#include "deliver.h"
#include "holder.h"
#include "tell.h"

#define IDLE_NOTICE_MS 60000 /* protocol §6: a minute, or half of idleRelease if that is less */

/* When lock:expiring is due; *ends_ms: the earlier end, of the lease or of idleRelease. */
static int64_t notice_at(const struct room *room, int64_t *ends_ms) {
    const struct lock_view *v = &room->lock.view;
    *ends_ms = v->expires_ms;
    int64_t before = room->type->policy->lock_ttl_ms / 5;
    if (v->idle_until_ms != 0 && v->idle_until_ms < v->expires_ms) {
        *ends_ms = v->idle_until_ms;
        before = room->type->policy->idle_release_ms / 2;
        if (before > IDLE_NOTICE_MS) {
            before = IDLE_NOTICE_MS;
        }
    }
    return *ends_ms == room->notified_end_ms ? INT64_MAX : *ends_ms - before;
}

int64_t room_confirmed_until_ms(struct room_sub *sub) {
    const struct room *room = sub->room;
    struct lock_report_member m;
    if (room == NULL || !room->degraded || room_assumed_holder(room) != sub ||
        !sub->ops->describe(sub, &m)) {
        return 0;
    }
    return lock_store_confirmed_until_ms(room->rooms->store, room_resource(room), m.expires_ms,
                                         room->type->policy);
}

static int64_t next_notice_at(const struct room *room, struct room_sub *holder) {
    int64_t ends_ms;
    if (room->degraded) {
        return room_confirmed_until_ms(holder);
    }
    if (room->ahead != NULL || room->lock.view.state != LOCK_STATE_HELD) {
        return INT64_MAX;
    }
    return notice_at(room, &ends_ms);
}

static void tell_expiring(struct room *room, struct room_sub *holder) {
    int64_t ends_ms;
    (void)notice_at(room, &ends_ms);
    room->notified_end_ms = ends_ms;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room_rev(holder));
    struct wire_message *message = wire_expiring(&to, &at, ends_ms);
    room_send(holder, at.rev, message);
    wire_message_unref(message);
}

static void tell_store_lost(struct room *room, struct room_sub *holder, int64_t token) {
    room->store_lost_token = token;
    room_tell_lost(room, holder->user_id, holder->client_id, token, LOCK_CAUSE_STORE_LOST,
                   (struct str){NULL, 0});
}

static void on_timer(struct wheel_timer *timer) {
    struct room *room = CONTAINER_OF(timer, struct room, holder_timer);
    struct room_sub *holder = room_assumed_holder(room);
    if (holder == NULL) {
        return;
    }
    if (next_notice_at(room, holder) <=
        lock_store_now_at_ms(room->rooms->store, room_resource(room))) {
        if (room->degraded) {
            tell_store_lost(room, holder,
                            room->ahead != NULL ? room->ahead_token : room->lock.view.token);
        } else {
            tell_expiring(room, holder);
        }
    }
    room_holder_rearm(room);
}

void room_holder_rearm(struct room *room) {
    wheel_cancel(&room->holder_timer);
    struct room_sub *holder = room_assumed_holder(room);
    if (holder == NULL) {
        return;
    }
    int64_t at = next_notice_at(room, holder);
    if (at == INT64_MAX) {
        return;
    }
    int64_t wait = at - lock_store_now_at_ms(room->rooms->store, room_resource(room));
    wheel_set(room->rooms->wheel, &room->holder_timer, wait > 0 ? (uint64_t)wait : 1, on_timer);
}

void room_note_lock(struct room_sub *sub, const struct lock_view *lock) {
    struct room *room = sub->room;
    if (room == NULL) {
        return;
    }
    if (room->store_lost_token == lock->token) {
        room->store_lost_token = 0; /* it asked again and holds the lock */
    }
    if (lock->token > room->rev && lock->token != room->lock.view.token) {
        room->ahead = sub;
        room->ahead_token = lock->token;
        room_holder_rearm(room);
    }
    if (room->holder != sub || room->lock.view.token != lock->token) {
        return;
    }
    room->lock.view.expires_ms = lock->expires_ms;
    room->lock.view.idle_until_ms = lock->idle_until_ms;
    room->lock.view.dirty = lock->dirty;
    room_holder_rearm(room);
}
