/* Chooses who is told what of a change. */
#include "tell.h"

#include "deliver.h"
#include "tell_waiters.h"
#include "wslock/base/mem.h"

void room_wire_lock(const struct lock_view *lock, int mine, struct wire_lock *out) {
    *out = (struct wire_lock){
        .state = lock_state_text(lock->state),
        .person = {lock->user_id, lock->username},
        .since_ms = lock->since_ms,
        .expires_ms = lock->expires_ms,
        .grace_until_ms = lock->grace_until_ms,
        .reserved_until_ms = lock->reserved_until_ms,
        .dirty = lock->dirty,
        .queue_length = lock->queue_length,
        .mine = mine,
    };
}

int64_t room_viewers(int64_t member_count, const struct lock_view *lock) {
    int64_t editors = lock->state == LOCK_STATE_HELD ? 1 : 0;
    return member_count > editors ? member_count - editors : 0;
}

/* ---- the lock ---- */

/* A subscriber with a newer snapshot has the lock from that. */
void room_tell_lock(struct room *room, enum lock_cause cause) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room_state_rev(room));
    struct wire_lock lock;
    room_wire_lock(&room->lock.view, -1, &lock);
    room_send_all(room, at.rev, wire_lock_state(&to, &at, &lock, lock_cause_text(cause), NULL));
}

static void tell_released(struct room *room, const struct lock_event *e) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    enum lock_cause reason = e->ended.present ? e->ended.reason : e->cause;
    room_send_all(room, room->rev,
                  wire_released(&to, &at, lock_cause_text(reason), e->ended.user_id));
}

/* True: the subscriber still has this grant as its own. Its newer snapshot shows only that it does
 * not have the lock, not that it lost it, nor why. */
static bool is_owed(struct room_sub *sub, int64_t token) {
    return sub->ops->holds(sub, token);
}

void room_tell_lost(struct room *room, struct str user_id, struct str client_id, int64_t token,
                    enum lock_cause reason, struct str by) {
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        bool old = room->telling && room->rev <= sub->min_rev;
        if (room_is_tab(sub, user_id, client_id) && (!old || is_owed(sub, token))) {
            room_send_lost(sub, true, token, reason, by);
        }
    }
}

void room_tell_ended(struct room_sub *sub, int64_t token, enum lock_cause reason) {
    if (sub->room != NULL) {
        room_send_lost(sub, false, token, reason, (struct str){NULL, 0});
    }
}

static bool was_forced(struct str decision) {
    return !str_eqz(decision, "APPROVED") && !str_eqz(decision, "HOLDER_RELEASED") &&
           !str_eqz(decision, "HOLDER_GONE");
}

static void tell_taken(struct room *room, const struct lock_event *e) {
    const struct lock_takeover *t = &e->takeover;
    if (!e->ended.present || !was_forced(t->ended)) {
        return;
    }
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    struct wire_person admin = {t->user_id, t->username};
    room_send_tab(room, e->ended.user_id, e->ended.client_id, room->rev,
                  wire_taken_by_admin(&to, &at, &admin, t->reason));
}

static void tell_operation(struct room *room, const struct lock_event *e) {
    if (e->cause != LOCK_CAUSE_TAKEN_BY_ADMIN || !e->ended.present) {
        return;
    }
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    struct wire_person admin = {e->operation.actor, e->operation.actor};
    room_send_tab(room, e->ended.user_id, e->ended.client_id, room->rev,
                  wire_taken_by_admin(&to, &at, &admin, e->operation.reason));
}

static void tell_admin(struct room *room, const struct lock_event *e, int64_t rev) {
    struct wire_at at = room_at(room, rev);
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        if (!room_is_tab(sub, e->lock.user_id, e->lock.client_id)) {
            continue;
        }
        struct wire_message *message = sub->ops->granted(sub, &at, e);
        if (message != NULL) {
            room_send(sub, at.rev, message);
        }
        wire_message_unref(message);
    }
}

/* lock:lost, unless the holder released the lock or its tab has it under a new token. */
static void tell_loser(struct room *room, const struct lock_event *e) {
    const struct lock_ending *end = &e->ended;
    if (!end->present || end->reason == LOCK_CAUSE_RELEASED) {
        return;
    }
    if (lock_is_owned(&e->lock) && str_eq(e->lock.user_id, end->user_id) &&
        str_eq(e->lock.client_id, end->client_id)) {
        return;
    }
    struct str by = end->by;
    if (by.len > 0 && room->type->policy->presence == CONFIG_PRESENCE_MINIMAL) {
        by = lock_is_owned(&e->lock) ? e->lock.user_id : (struct str){NULL, 0};
    }
    room_tell_lost(room, end->user_id, end->client_id, end->token, end->reason, by);
}

/* Sends lock:lost to candidates whose lock ended during a gap. The event names only the ending of
 * the latest grant. */
static void tell_missed_losers(struct room *room, const struct room_candidate had[2],
                               const struct lock_ending *sent) {
    const struct lock_view *now = &room->lock.view;
    for (int i = 0; i < 2; i++) {
        struct room_sub *sub = had[i].sub;
        if (sub == NULL || sub == room->ahead || now->token == had[i].token ||
            (sent->present && sent->token == had[i].token) || room_sub_owns(sub, now)) {
            continue;
        }
        room_tell_lost(room, sub->user_id, sub->client_id, had[i].token, LOCK_CAUSE_STORE_LOST,
                       (struct str){NULL, 0});
    }
}

/* lock:acquired to a holder whose lock has a new token. */
static void tell_lifted(struct room *room, const struct room_candidate had[2]) {
    const struct lock_view *now = &room->lock.view;
    struct wire_at at;
    for (int i = 0; i < 2; i++) {
        struct room_sub *sub = had[i].sub;
        if (sub == NULL || sub == room->ahead || now->state != LOCK_STATE_HELD ||
            now->token <= had[i].token || !room_sub_owns(sub, now)) {
            continue;
        }
        at = room_at(room, room_rev(sub));
        struct wire_message *message = sub->ops->lifted(sub, &at, now);
        room_send(sub, at.rev, message);
        wire_message_unref(message);
    }
}

/* After a gap any subscriber may act as the holder, also one whose grant only a reply has brought.
 */
static void tell_all_lost(struct room *room, enum lock_cause reason) {
    const struct lock_view *now = &room->lock.view;
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        struct lock_report_member m;
        if (!sub->ops->describe(sub, &m) || m.token == 0 || m.token > room->rev ||
            m.token == room->store_lost_token || room_sub_owns(sub, now)) {
            continue;
        }
        room_tell_lost(room, sub->user_id, sub->client_id, m.token, reason, (struct str){NULL, 0});
    }
}

/* ---- what changed ---- */

static void tell_lock_event(struct room *room, const struct room_change *c) {
    const struct lock_event *e = c->event;
    room_tell_lock(room, e->cause);
    if ((lock_is_owned(&c->before) || e->ended.present) && !lock_is_owned(&e->lock)) {
        tell_released(room, e);
    }
    if (e->takeover.present) {
        tell_taken(room, e);
    }
    tell_loser(room, e);
    tell_missed_losers(room, c->had, &e->ended);
    if (e->takeover.present) {
        tell_admin(room, e, room->rev);
    }
    if (e->cause == LOCK_CAUSE_GRACE_STARTED && e->lock.prompt) {
        room_tell_disconnected(room);
    }
}

static void tell_recovered(struct room *room, const struct room_change *c) {
    tell_lifted(room, c->had);
    if (!room_is_store_lost(room)) /* else it would confirm a lock that was declared lost */
    {
        room_tell_lock(room, LOCK_CAUSE_RECOVERED);
    }
    tell_all_lost(room, c->lost_reason);
    int64_t rev = room_state_rev(room);
    struct lock_event moved = {.kind = LOCK_EVENT_LOCK, .rev = rev, .lock = room->lock.view};
    if (c->takeover == ROOM_TAKEOVER_CLOSED) {
        room_tell_takeover_closed(room, &c->before.takeover, str_of("CANCELLED"),
                                  (struct str){NULL, 0});
    } else if (c->takeover == ROOM_TAKEOVER_MOVED) {
        tell_admin(room, &moved, rev);
    }
    if (c->event != NULL && c->event->lock.prompt && !c->before.prompt) {
        room_tell_disconnected(room);
    }
}

static void tell_lock_change(struct room *room, const struct room_change *c) {
    if (c->event == NULL || c->cause == LOCK_CAUSE_RECOVERED) {
        tell_recovered(room, c);
    } else {
        tell_lock_event(room, c);
    }
}

void room_tell_change(struct room *room, const struct room_change *c) {
    room->telling = c->event != NULL;
    if (c->lock_changed) {
        tell_lock_change(room, c);
    }
    if (c->event != NULL && c->event->kind == LOCK_EVENT_OPERATION) {
        tell_operation(room, c->event);
    }
    room_tell_waiters(room, c);
    room->telling = false;
}
