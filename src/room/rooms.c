/*
 * The rooms of this instance. The first subscriber creates a room. It is destroyed with the last
 * one, but kept while a lock of a former subscriber may be in grace: if the store loses that lock,
 * it must be reported.
 */
#include "rooms.h"

#include "apply.h"
#include "backlog.h"
#include "count.h"
#include "deliver.h"
#include "holder.h"
#include "members.h"
#include "notices.h"
#include "notified.h"
#include "presence.h"
#include "take.h"
#include "tell_waiters.h"
#include "waiters.h"
#include "wslock/base/mem.h"

struct rooms *rooms_create(struct wheel *wheel, struct lock_store *store,
                           void (*on_reported)(void *ctx, const struct lock_result *result),
                           void (*on_superseded)(void *ctx, struct str session_id), void *ctx) {
    struct rooms *r = mem_zalloc(sizeof *r);
    r->wheel = wheel;
    r->store = store;
    r->on_reported = on_reported;
    r->on_superseded = on_superseded;
    r->ctx = ctx;
    r->by_resource = map_create();
    wheel_timer_init(&r->report_timer);
    room_counts_init(r);
    return r;
}

static void room_destroy(struct room *room) {
    map_remove(room->rooms->by_resource, room_resource(room));
    wheel_cancel(&room->presence_timer);
    wheel_cancel(&room->holder_timer);
    wheel_cancel(&room->store_lost_timer);
    room_backlog_clear(room);
    room_members_clear(room);
    room_waiters_clear(room);
    mem_free(room->lock.strings);
    mem_free(room->departed);
    mem_free(room->resource);
    mem_free(room);
}

static void destroy_empty(void *ctx, struct str key, void *value) {
    (void)ctx;
    (void)key;
    room_destroy(value);
}

void room_drop_if_done(struct room *room) {
    const struct lock_view *v = &room->lock.view;
    bool kept =
        room->synced && ((lock_is_owned(v) && v->token == room->ours) || room->departed != NULL);
    if (room->sub_count == 0 && !kept) {
        lock_store_unfollow(room->rooms->store, room_resource(room));
        room_destroy(room);
    }
}

void rooms_destroy(struct rooms **r) {
    if (*r == NULL) {
        return;
    }
    wheel_cancel(&(*r)->report_timer);
    room_counts_fini(*r);
    map_each((*r)->by_resource, destroy_empty, NULL);
    map_destroy(&(*r)->by_resource);
    mem_free(*r);
    *r = NULL;
}

static struct room *room_create(struct rooms *r, struct str resource,
                                const struct config_resource_type *type) {
    struct room *room = mem_zalloc(sizeof *room);
    room->rooms = r;
    room->resource = str_dup(resource);
    room->type = type;
    list_init(&room->subs);
    list_init(&room->backlog);
    list_init(&room->users);
    list_init(&room->changed);
    list_init(&room->waiters);
    room->median_ms = -1;
    room->members = map_create();
    room->user_map = map_create();
    wheel_timer_init(&room->presence_timer);
    wheel_timer_init(&room->holder_timer);
    wheel_timer_init(&room->store_lost_timer);
    map_set(r->by_resource, resource, room);
    lock_store_follow(r->store, resource);
    return room;
}

void rooms_subscribe(struct rooms *r, struct str resource, const struct config_resource_type *type,
                     struct room_sub *sub) {
    static uint64_t seq;
    struct room *room = map_get(r->by_resource, resource);
    if (room == NULL) {
        room = room_create(r, resource, type);
    }
    sub->room = room;
    sub->active = sub->member = sub->presence_behind = false;
    sub->min_rev = 0;
    sub->seq = ++seq;
    room_forget_notified(sub);
    sub->deferred_count = 0;
    list_init(&sub->deferred);
    list_push_back(&room->subs, &sub->node);
    room->sub_count++;
}

struct reload {
    const struct config_types *types;
    const struct config *before;
};

static void tell_policy(struct room *room) {
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        struct wire_to to = room_to(room);
        struct wire_at at = room_at(room, room_rev(sub));
        struct wire_message *message = wire_policy(&to, &at, room->type->policy);
        room_send(sub, at.rev, message);
        wire_message_unref(message);
    }
}

static void reload_room(void *ctx, struct str resource, void *value) {
    const struct reload *reload = ctx;
    struct room *room = value;
    const char *colon = memchr(resource.p, ':', resource.len);
    struct str name = {resource.p, (size_t)(colon - resource.p)};
    const struct config_resource_type *type = config_types_find(reload->types, name);
    const struct config_policy *before = config_policy_for(reload->before, name);
    if (type != NULL) {
        room->type = type;
    }
    if (before == NULL) { /* its type was rejected already */
        before = &reload->before->default_policy;
    }
    if (!wire_policies_equal(before, room->type->policy)) {
        tell_policy(room);
    }
}

void rooms_reload(struct rooms *r, const struct config_types *types, const struct config *before) {
    struct reload reload = {types, before};
    map_each(r->by_resource, reload_room, &reload);
}

const struct config_resource_type *rooms_type(const struct rooms *r, struct str resource) {
    const struct room *room = map_get(r->by_resource, resource);
    return room != NULL ? room->type : NULL;
}

void room_pause(struct room_sub *sub) {
    sub->active = false;
}

bool room_activate(struct room_sub *sub, int64_t rev) {
    bool whole = sub->deferred_count <= ROOM_DEFERRED_MAX;
    if (rev > sub->room->snapshot_rev) {
        sub->room->snapshot_rev = rev;
    }
    room_skip_until(sub, rev);
    sub->active = sub->member = true;
    if (room_sub_owns(sub, &sub->room->lock.view)) {
        room_holder_find(sub->room);
    }
    room_deliver_all_deferred(sub);
    room_holder_rearm(sub->room);
    if (rev == 0 && sub->room->rev > sub->min_rev) {
        room_catch_up(sub);
    }
    return whole;
}

void room_unsubscribe(struct room_sub *sub) {
    struct room *room = sub->room;
    if (room == NULL) {
        return;
    }
    room_drop_deferred(sub);
    list_remove(&sub->node);
    sub->room = NULL;
    sub->active = sub->member = false;
    if (room->ahead == sub) {
        room->ahead = NULL;
    }
    if (room->holder == sub) {
        room_holder_find(room);
    }
    room->sub_count--;
    room_drop_if_done(room);
}

void room_take_snapshot(struct room_sub *sub, const struct lock_snapshot *snapshot) {
    struct room *room = sub->room;
    if (room == NULL) {
        return;
    }
    room_deliver_deferred(sub, snapshot->rev);
    room_forget_notified(sub);
    if (room->synced) {
        return;
    }
    room_apply_snapshot(room, snapshot);
    room_settle_presence(room);
    room_holder_rearm(room);
    room_replay_backlog(room);
}

void rooms_on_event(struct rooms *r, const struct lock_event *event) {
    struct room *room = map_get(r->by_resource, event->resource);
    if (room == NULL) {
        return;
    }
    lock_note_ending(r->store, event);
    if (room->synced && !room->degraded) {
        room_take_event(room, event);
    } else {
        room_backlog_add(room, event);
    }
    room_drop_if_done(room);
}

void room_lock(const struct room_sub *sub, struct lock_view *out) {
    *out = sub->room != NULL ? sub->room->lock.view : (struct lock_view){.state = LOCK_STATE_FREE};
}

static void set_degraded(void *ctx, struct str key, void *value) {
    const struct rooms *r = ctx;
    struct room *room = value;
    /* Rooms of a shard that is being resynchronised may have been reported already. */
    if (!lock_store_is_away(r->store, key)) {
        return;
    }
    room->degraded = true;
    room_holder_rearm(room);
}

void rooms_on_degraded(struct rooms *r) {
    map_each(r->by_resource, set_degraded, r);
}

static void move(int64_t *deadline_ms, int64_t step_ms) {
    if (*deadline_ms != 0) {
        *deadline_ms += step_ms;
    }
}

static void move_deadlines(void *ctx, struct str key, void *value) {
    (void)key;
    int64_t step_ms = *(int64_t *)ctx;
    struct room *room = value;
    struct lock_view *v = &room->lock.view;
    move(&v->expires_ms, step_ms);
    move(&v->idle_until_ms, step_ms);
    move(&v->grace_until_ms, step_ms);
    move(&v->reserved_until_ms, step_ms);
    room_holder_rearm(room);
}

void rooms_on_clock_step(struct rooms *r, int64_t step_ms) {
    map_each(r->by_resource, move_deadlines, &step_ms);
}
