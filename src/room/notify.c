/* From a change to the messages it brings, each encoded once and shared by all who get it. */
#include "private.h"

#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

struct held_frame {
    struct list node;
    int64_t rev;
    struct frame *frame;
};

static bool owns(const struct lock_view *lock) {
    return lock->state == LOCK_STATE_HELD || lock->state == LOCK_STATE_GRACE;
}

struct wire_to room_to(const struct room *room) {
    struct wire_to to = {.framing = WIRE_FRAMING_NATIVE,
                         .minimal = room->policy->presence == CONFIG_PRESENCE_MINIMAL};
    return to;
}

struct wire_at room_at(const struct room *room, int64_t rev) {
    struct wire_at at = {room_resource(room), rev, lock_store_now_ms(room->rooms->store)};
    return at;
}

void room_send(struct room_sub *sub, int64_t rev, struct frame *frame) {
    if (sub->active) {
        if (rev > sub->min_rev)
            sub->ops->deliver(sub, frame);
        return;
    }
    if (sub->held_count++ >= ROOM_HELD_MAX)
        return; /* room_activate tells */
    struct held_frame *held = mem_alloc(sizeof *held);
    held->rev = rev;
    held->frame = frame_ref(frame);
    list_push_back(&sub->held, &held->node);
}

static void free_held(struct room_sub *sub, bool deliver) {
    LIST_FOREACH_SAFE(it, tmp, &sub->held) {
        struct held_frame *held = CONTAINER_OF(it, struct held_frame, node);
        list_remove(it);
        if (deliver && held->rev > sub->min_rev)
            sub->ops->deliver(sub, held->frame);
        frame_unref(held->frame);
        mem_free(held);
    }
    sub->held_count = 0;
}

bool room_activate(struct room_sub *sub, int64_t rev) {
    bool whole = sub->held_count <= ROOM_HELD_MAX;
    if (rev > 0)
        sub->room->snapshot_told = true;
    if (rev > sub->min_rev)
        sub->min_rev = rev;
    sub->active = true;
    free_held(sub, true);
    room_holder_rearm(sub->room);
    return whole;
}

void room_drop_held(struct room_sub *sub) {
    free_held(sub, false);
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

void room_tell_lock(struct room *room, enum lock_cause cause) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    struct wire_lock lock;
    room_wire_lock(&room->lock.view, -1, &lock);
    send_all(room, room->rev, wire_lock_state(&to, &at, &lock, lock_cause_text(cause)));
}

void room_tell_released(struct room *room, const struct lock_event *e) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    enum lock_cause reason = e->ended.present ? e->ended.reason : e->cause;
    send_all(room, room->rev, wire_released(&to, &at, lock_cause_text(reason), e->ended.user_id));
}

void room_tell_lost(struct room *room, struct str user_id, struct str client_id, int64_t rev,
                    int64_t token, enum lock_cause reason, struct str by) {
    struct frame *frame = NULL;
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        if (!str_eq(sub->client_id, client_id) || !str_eq(sub->user_id, user_id))
            continue;
        if (!frame) {
            struct wire_to to = room_to(room);
            struct wire_at at = room_at(room, rev);
            frame = wire_lost(&to, &at, token, lock_cause_text(reason),
                              to.minimal ? (struct str){NULL, 0} : by);
        }
        if (!sub->active || rev > sub->min_rev)
            sub->ops->on_lost(sub, token, reason);
        room_send(sub, rev, frame);
    }
    frame_unref(frame);
}

struct room_sub *room_local_holder(const struct room *room) {
    const struct lock_view *v = &room->lock.view;
    if (!owns(v))
        return NULL;
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        if (sub->active && str_eq(sub->client_id, v->client_id) && str_eq(sub->user_id, v->user_id))
            return sub;
    }
    return NULL;
}
