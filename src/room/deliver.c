/* Sends messages to subscribers, or defers them until a join is answered. */
#include "deliver.h"

#include "backlog.h"
#include "wslock/base/mem.h"

struct deferred_message {
    struct list node;
    int64_t rev;
    bool change; /* else it is a notice */
    struct wire_message *message;
    int64_t lost_token; /* lock:lost: to be passed to on_lost; else 0 */
    enum lock_cause lost_reason;
};

struct wire_to room_to(const struct room *room) {
    return (struct wire_to){.minimal = room->type->policy->presence == CONFIG_PRESENCE_MINIMAL};
}

struct wire_at room_at(const struct room *room, int64_t rev) {
    struct wire_at at = {room_resource(room), rev,
                         lock_store_now_at_ms(room->rooms->store, room_resource(room))};
    return at;
}

int64_t room_state_rev(const struct room *room) {
    if (room->telling) {
        return room->rev;
    }
    int64_t known = room_events_known(room);
    return known > room->rev ? known : room->rev;
}

int64_t room_rev(const struct room_sub *sub) {
    int64_t rev = sub->room != NULL ? room_state_rev(sub->room) : 0;
    return rev > sub->min_rev ? rev : sub->min_rev;
}

static void deliver(struct room_sub *sub, const struct deferred_message *f) {
    if (f->rev < sub->min_rev || (f->change && f->rev == sub->min_rev)) {
        return;
    }
    if (f->lost_token != 0 && !sub->ops->on_lost(sub, f->rev, f->lost_token, f->lost_reason)) {
        return;
    }
    sub->ops->deliver(sub, f->message);
}

static void send_or_defer(struct room_sub *sub, const struct deferred_message *f) {
    if (sub->active) {
        deliver(sub, f);
        return;
    }
    if (sub->deferred_count++ >= ROOM_DEFERRED_MAX) {
        return; /* room_activate returns false */
    }
    struct deferred_message *deferred = mem_alloc(sizeof *deferred);
    *deferred = *f;
    wire_message_ref(deferred->message);
    list_push_back(&sub->deferred, &deferred->node);
}

void room_send(struct room_sub *sub, int64_t rev, struct wire_message *message) {
    send_or_defer(sub, &(struct deferred_message){
                           .rev = rev, .change = sub->room->telling, .message = message});
}

/* Removes the deferred messages up to this rev; tell: delivers them. The list is sorted by rev. */
static void free_deferred(struct room_sub *sub, int64_t up_to, bool tell) {
    LIST_FOREACH_ENTRY(struct deferred_message, deferred, node, &sub->deferred) {
        if (deferred->rev > up_to) {
            return;
        }
        list_remove(&deferred->node);
        if (tell) {
            deliver(sub, deferred);
        }
        wire_message_unref(deferred->message);
        mem_free(deferred);
    }
}

void room_deliver_deferred(struct room_sub *sub, int64_t rev) {
    if (sub->min_rev > 0) {
        free_deferred(sub, rev, true);
    }
}

void room_skip_until(struct room_sub *sub, int64_t rev) {
    if (rev > sub->min_rev) {
        sub->min_rev = rev;
    }
}

void room_deliver_all_deferred(struct room_sub *sub) {
    free_deferred(sub, INT64_MAX, true);
    sub->deferred_count = 0;
}

void room_drop_deferred(struct room_sub *sub) {
    free_deferred(sub, INT64_MAX, false);
}

void room_send_tab(struct room *room, struct str user_id, struct str client_id, int64_t rev,
                   struct wire_message *message) {
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        if (room_is_tab(sub, user_id, client_id)) {
            room_send(sub, rev, message);
        }
    }
    wire_message_unref(message);
}

void room_send_all(struct room *room, int64_t rev, struct wire_message *message) {
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        room_send(sub, rev, message);
    }
    wire_message_unref(message);
}

void room_send_lost(struct room_sub *sub, bool guarded, int64_t token, enum lock_cause reason,
                    struct str by) {
    struct wire_to to = room_to(sub->room);
    struct wire_at at = room_at(sub->room, room_rev(sub));
    struct deferred_message lost = {
        .rev = at.rev,
        .message = wire_lost(&to, &at, token, lock_cause_text(reason), by),
        .lost_token = guarded ? token : 0,
        .lost_reason = reason,
    };
    send_or_defer(sub, &lost);
    wire_message_unref(lost.message);
}
