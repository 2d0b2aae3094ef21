/* From a change to the messages it brings, each encoded once and shared by all who get it. */
#include "private.h"

#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

struct held_frame {
    struct list node;
    int64_t rev;
    bool change; /* else a notice */
    struct frame *frame;
    int64_t lost_token; /* lock:lost; else 0 */
    enum lock_cause lost_reason;
};

struct wire_to room_to(const struct room *room) {
    struct wire_to to = {.framing = WIRE_FRAMING_NATIVE,
                         .minimal = room->policy->presence == CONFIG_PRESENCE_MINIMAL};
    return to;
}

struct wire_at room_at(const struct room *room, int64_t rev) {
    struct wire_at at = {room_resource(room), rev, lock_store_now_ms(room->rooms->store)};
    return at;
}

int64_t room_state_rev(const struct room *room) {
    if (room->applying)
        return room->rev;
    int64_t known = room_events_known(room);
    return known > room->rev ? known : room->rev;
}

int64_t room_rev(const struct room_sub *sub) {
    int64_t rev = sub->room ? room_state_rev(sub->room) : 0;
    return rev > sub->min_rev ? rev : sub->min_rev;
}

static void deliver(struct room_sub *sub, const struct held_frame *f) {
    if (f->rev < sub->min_rev || (f->change && f->rev == sub->min_rev))
        return;
    if (f->lost_token != 0 && !sub->ops->on_lost(sub, f->rev, f->lost_token, f->lost_reason))
        return;
    sub->ops->deliver(sub, f->frame);
}

static void send_or_hold(struct room_sub *sub, const struct held_frame *f) {
    if (sub->active) {
        deliver(sub, f);
        return;
    }
    if (sub->held_count++ >= ROOM_HELD_MAX)
        return; /* room_activate tells */
    struct held_frame *held = mem_alloc(sizeof *held);
    *held = *f;
    frame_ref(held->frame);
    list_push_back(&sub->held, &held->node);
}

void room_send(struct room_sub *sub, int64_t rev, struct frame *frame) {
    send_or_hold(sub,
                 &(struct held_frame){.rev = rev, .change = sub->room->applying, .frame = frame});
}

/* They are in the order of their revs. */
static void free_held(struct room_sub *sub, int64_t up_to, bool tell) {
    LIST_FOREACH_SAFE(it, tmp, &sub->held) {
        struct held_frame *held = CONTAINER_OF(it, struct held_frame, node);
        if (held->rev > up_to)
            return;
        list_remove(it);
        if (tell)
            deliver(sub, held);
        frame_unref(held->frame);
        mem_free(held);
    }
}

void room_tell_held(struct room_sub *sub, int64_t rev) {
    if (sub->min_rev > 0)
        free_held(sub, rev, true);
}

void room_told(struct room_sub *sub, int64_t rev) {
    if (rev > sub->min_rev)
        sub->min_rev = rev;
}

bool room_activate(struct room_sub *sub, int64_t rev) {
    bool whole = sub->held_count <= ROOM_HELD_MAX;
    if (rev > sub->room->snapshot_rev)
        sub->room->snapshot_rev = rev;
    room_told(sub, rev);
    sub->active = sub->member = true;
    room_holder_find(sub->room);
    free_held(sub, INT64_MAX, true);
    sub->held_count = 0;
    room_holder_rearm(sub->room);
    if (rev == 0 && sub->room->rev > sub->min_rev)
        room_catch_up(sub);
    return whole;
}

void room_drop_held(struct room_sub *sub) {
    free_held(sub, INT64_MAX, false);
}

void room_send_tab(struct room *room, struct str user_id, struct str client_id, int64_t rev,
                   struct frame *frame) {
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        if (room_is_tab(sub, user_id, client_id))
            room_send(sub, rev, frame);
    }
    frame_unref(frame);
}

static void send_all(struct room *room, int64_t rev, struct frame *frame) {
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        room_send(CONTAINER_OF(it, struct room_sub, node), rev, frame);
    }
    frame_unref(frame);
}

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

/* Whose snapshot is newer has been told the lock by that, as it is now. */
void room_tell_lock(struct room *room, enum lock_cause cause) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room_state_rev(room));
    struct wire_lock lock;
    room_wire_lock(&room->lock.view, -1, &lock);
    send_all(room, at.rev, wire_lock_state(&to, &at, &lock, lock_cause_text(cause), NULL));
}

void room_tell_released(struct room *room, const struct lock_event *e) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    enum lock_cause reason = e->ended.present ? e->ended.reason : e->cause;
    send_all(room, room->rev, wire_released(&to, &at, lock_cause_text(reason), e->ended.user_id));
}

/* guarded: not of a loss that it was told of. */
static void tell_lost(struct room_sub *sub, bool guarded, int64_t token, enum lock_cause reason,
                      struct str by) {
    struct wire_to to = room_to(sub->room);
    struct wire_at at = room_at(sub->room, room_rev(sub));
    struct held_frame lost = {
        .rev = at.rev,
        .frame = wire_lost(&to, &at, token, lock_cause_text(reason), by),
        .lost_token = guarded ? token : 0,
        .lost_reason = reason,
    };
    send_or_hold(sub, &lost);
    frame_unref(lost.frame);
}

/* A snapshot says that it has not the lock, but not that it lost it, nor why. */
static bool is_owed(struct room_sub *sub, int64_t token) {
    struct lock_report_member m;
    return sub->ops->describe(sub, &m) && m.token == token;
}

void room_tell_lost(struct room *room, struct str user_id, struct str client_id, int64_t token,
                    enum lock_cause reason, struct str by) {
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        bool old = room->applying && room->rev <= sub->min_rev;
        if (room_is_tab(sub, user_id, client_id) && (!old || is_owed(sub, token)))
            tell_lost(sub, true, token, reason, by);
    }
}

void room_tell_ended(struct room_sub *sub, int64_t token, enum lock_cause reason) {
    if (sub->room)
        tell_lost(sub, false, token, reason, (struct str){NULL, 0});
}

static bool was_forced(struct str decision) {
    return !str_eqz(decision, "APPROVED") && !str_eqz(decision, "HOLDER_RELEASED") &&
           !str_eqz(decision, "HOLDER_GONE");
}

void room_tell_taken(struct room *room, const struct lock_event *e) {
    const struct lock_takeover *t = &e->takeover;
    if (!e->ended.present || !was_forced(t->ended))
        return;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    struct wire_person admin = {t->user_id, t->username};
    room_send_tab(room, e->ended.user_id, e->ended.client_id, room->rev,
                  wire_taken_by_admin(&to, &at, &admin, t->reason));
}

void room_tell_operation(struct room *room, const struct lock_event *e) {
    if (e->cause != LOCK_CAUSE_TAKEN_BY_ADMIN || !e->ended.present)
        return;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    struct wire_person admin = {e->operation.actor, e->operation.actor};
    room_send_tab(room, e->ended.user_id, e->ended.client_id, room->rev,
                  wire_taken_by_admin(&to, &at, &admin, e->operation.reason));
}

void room_tell_admin(struct room *room, const struct lock_event *e, int64_t rev) {
    struct wire_at at = room_at(room, rev);
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        if (!room_is_tab(sub, e->lock.user_id, e->lock.client_id))
            continue;
        struct frame *frame = sub->ops->granted(sub, &at, e);
        if (frame)
            room_send(sub, at.rev, frame);
        frame_unref(frame);
    }
}

void room_tell_lifted(struct room *room, struct room_sub *holder) {
    struct wire_at at = room_at(room, room_rev(holder));
    struct frame *frame = holder->ops->lifted(holder, &at, &room->lock.view);
    room_send(holder, at.rev, frame);
    frame_unref(frame);
}

struct frame *room_disconnected_frame(const struct room *room, const struct lock_view *lock,
                                      int64_t rev) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    struct wire_person holder = {lock->user_id, lock->username};
    return wire_holder_disconnected(&to, &at, &holder, lock->grace_until_ms);
}

void room_tell_disconnected(struct room *room) {
    send_all(room, room->rev, room_disconnected_frame(room, &room->lock.view, room->rev));
}
