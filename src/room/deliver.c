/* One subscriber: a message is held for it, or delivered, by its rev. */
#include "deliver.h"

#include "backlog.h"
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
    if (room->telling)
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
                 &(struct held_frame){.rev = rev, .change = sub->room->telling, .frame = frame});
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

void room_tell_all_held(struct room_sub *sub) {
    free_held(sub, INT64_MAX, true);
    sub->held_count = 0;
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

void room_send_all(struct room *room, int64_t rev, struct frame *frame) {
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        room_send(CONTAINER_OF(it, struct room_sub, node), rev, frame);
    }
    frame_unref(frame);
}

void room_send_lost(struct room_sub *sub, bool guarded, int64_t token, enum lock_cause reason,
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
