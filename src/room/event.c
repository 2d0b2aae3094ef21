/* One event of the feed: held while the room has no snapshot, or has not been reported to a store
 * that is back; else applied and told, in this order. */
#include "private.h"

#include "wslock/base/log.h"
#include "wslock/base/mem.h"

#define EVENT_STRINGS 27

static void event_strings(struct lock_event *e, struct str *out[EVENT_STRINGS]) {
    struct str *all[EVENT_STRINGS] = {
        &e->resource,          &e->actor_session_id,   &e->lock.user_id,
        &e->lock.username,     &e->lock.client_id,     &e->ended.user_id,
        &e->ended.username,    &e->ended.client_id,    &e->ended.revision,
        &e->ended.by,          &e->member.user_id,     &e->member.username,
        &e->member.client_id,  &e->member.session_id,  &e->old_session_id,
        &e->ended.request_id,  &e->waiter.user_id,     &e->waiter.client_id,
        &e->waiter.packed,     &e->takeover.packed,    &e->lock.takeover.packed,
        &e->operation.actor,   &e->operation.reason,   &e->operation.address,
        &e->operation.user_id, &e->operation.username, &e->lock.page_id,
    };
    memcpy(out, all, sizeof all);
}

/* What it points into has been copied. */
static void reread_takeover(struct lock_takeover *t) {
    if (t->present)
        (void)lock_takeover_decode(t->packed, t); /* it was read once */
}

struct room_event *room_event_copy(const struct lock_event *event) {
    struct lock_event e = *event;
    struct str *strings[EVENT_STRINGS];
    event_strings(&e, strings);
    size_t bytes = 0;
    for (size_t i = 0; i < EVENT_STRINGS; i++)
        bytes += strings[i] ? strings[i]->len : 0;

    struct room_event *copy = mem_alloc(sizeof *copy + bytes);
    char *to = (char *)(copy + 1);
    for (size_t i = 0; i < EVENT_STRINGS; i++) {
        if (!strings[i] || !strings[i]->p)
            continue;
        memcpy(to, strings[i]->p, strings[i]->len);
        strings[i]->p = to;
        to += strings[i]->len;
    }
    if (e.kind == LOCK_EVENT_PLACE)
        lock_waiter_decode(e.waiter.user_id, e.waiter.client_id, e.waiter.packed, &e.waiter);
    reread_takeover(&e.takeover);
    reread_takeover(&e.lock.takeover);
    copy->event = e;
    list_init(&copy->node);
    return copy;
}

/* The one who lost it, unless it was given back, or goes on with the same tab under a new token. */
static void tell_loser(struct room *room, const struct lock_event *e) {
    const struct lock_ending *end = &e->ended;
    if (!end->present || end->reason == LOCK_CAUSE_RELEASED)
        return;
    if (lock_is_owned(&e->lock) && str_eq(e->lock.user_id, end->user_id) &&
        str_eq(e->lock.client_id, end->client_id))
        return;
    struct str by = end->by;
    if (by.len > 0 && room->policy->presence == CONFIG_PRESENCE_MINIMAL)
        by = lock_is_owned(&e->lock) ? e->lock.user_id : (struct str){NULL, 0};
    room_tell_lost(room, end->user_id, end->client_id, end->token, end->reason, by);
}

/* Who believed in a lock that the room, as it is now, gives to nobody or to another, and was not
 * told by the event how it ended: the feed was cut there. */
static void tell_missed_losers(struct room *room, const struct room_belief had[2],
                               const struct lock_ending *told, enum lock_cause reason) {
    const struct lock_view *now = &room->lock.view;
    for (int i = 0; i < 2; i++) {
        struct room_sub *sub = had[i].sub;
        if (!sub || sub == room->ahead || now->token == had[i].token ||
            (told->present && told->token == had[i].token) ||
            (lock_is_owned(now) && room_is_tab(sub, now->user_id, now->client_id)))
            continue;
        room_tell_lost(room, sub->user_id, sub->client_id, had[i].token, reason,
                       (struct str){NULL, 0});
    }
}

/* Who believed in its lock under a token that it has no more goes on under the new one. */
static void tell_lifted(struct room *room, const struct room_belief had[2]) {
    const struct lock_view *now = &room->lock.view;
    for (int i = 0; i < 2; i++) {
        struct room_sub *sub = had[i].sub;
        if (sub && sub != room->ahead && now->state == LOCK_STATE_HELD &&
            now->token > had[i].token && room_is_tab(sub, now->user_id, now->client_id))
            room_tell_lifted(room, sub);
    }
}

/* After events were missed anyone may believe in a lock: also one whose grant was told by its reply
 * alone, after the room had gone on. */
static void tell_believers(struct room *room, enum lock_cause reason) {
    const struct lock_view *now = &room->lock.view;
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        struct lock_report_member m;
        if (!sub->ops->describe(sub, &m) || m.token == 0 || m.token > room->rev ||
            m.token == room->disbelieved ||
            (lock_is_owned(now) && room_is_tab(sub, now->user_id, now->client_id)))
            continue;
        room_tell_lost(room, sub->user_id, sub->client_id, m.token, reason, (struct str){NULL, 0});
    }
}

void room_recovered(struct room *room, const struct lock_view *lock, enum lock_cause lost_reason) {
    struct room_belief had[2];
    room_beliefs(room, had);
    struct lock_takeover pending = room->lock.view.takeover;
    char *packed = pending.present ? mem_strndup(pending.packed.p, pending.packed.len) : NULL;
    if (packed && !lock_takeover_decode((struct str){packed, pending.packed.len}, &pending))
        pending.present = false;
    room_set_lock(room, lock);
    tell_lifted(room, had);
    if (room_is_disbelieved(room))
        room_give_up_later(room, 1); /* that would confirm a lock that was declared lost */
    else
        room_tell_lock(room, LOCK_CAUSE_RECOVERED);
    tell_believers(room, lost_reason);
    room_holder_rearm(room);
    room_takeover_missed(room, &pending);
    mem_free(packed);
}

static void apply_lock(struct room *room, const struct lock_event *e) {
    if (e->cause == LOCK_CAUSE_RECOVERED) {
        bool asked = room->lock.view.prompt;
        room_recovered(room, &e->lock, LOCK_CAUSE_STORE_LOST);
        if (e->lock.prompt && !asked)
            room_tell_disconnected(room);
        room_waiting_lock(room, e->cause);
        return;
    }
    bool had_owner = lock_is_owned(&room->lock.view);
    struct room_belief had[2];
    room_beliefs(room, had);
    room_set_lock(room, &e->lock);
    room_tell_lock(room, e->cause);
    if ((had_owner || e->ended.present) && !lock_is_owned(&e->lock))
        room_tell_released(room, e);
    if (e->takeover.present)
        room_tell_taken(room, e);
    tell_loser(room, e);
    tell_missed_losers(room, had, &e->ended, LOCK_CAUSE_STORE_LOST);
    room_give_up_later(room, 1);
    if (e->takeover.present)
        room_tell_admin(room, e, room->rev);
    if (e->cause == LOCK_CAUSE_GRACE_STARTED && e->lock.prompt)
        room_tell_disconnected(room);
    room_waiting_lock(room, e->cause);
}

static void count_members(struct room *room, int64_t count) {
    if (room->member_count == count)
        return;
    room->member_count = count; /* also of those who are not listed */
    room_presence_changed(room);
}

void room_apply_event(struct room *room, const struct lock_event *e) {
    if (e->rev <= room->rev)
        return;
    room->rev = e->rev;
    room->applying = true;
    switch (e->kind) {
    case LOCK_EVENT_LOCK:
        apply_lock(room, e);
        break;
    case LOCK_EVENT_JOIN:
        count_members(room, e->member_count);
        room_member_join(room, &e->member);
        room_left_return(room, e->member.user_id, e->member.client_id);
        break;
    case LOCK_EVENT_LEAVE:
        count_members(room, e->member_count);
        room_member_leave(room, &e->member);
        break;
    case LOCK_EVENT_PLACE:
        room_waiting_place(room, e);
        break;
    case LOCK_EVENT_TAKEOVER:
        room_takeover_event(room, e);
        break;
    case LOCK_EVENT_OPERATION:
        room_tell_operation(room, e);
        break;
    }
    room->applying = false;
}

void room_wait_event(struct room *room, const struct lock_event *event) {
    static struct log_limit limit;
    list_push_back(&room->waiting, &room_event_copy(event)->node);
    if (++room->waiting_count <= ROOM_HELD_MAX)
        return;
    /* The snapshot that is on its way is newer than the oldest of them. */
    struct list *oldest = room->waiting.next;
    list_remove(oldest);
    mem_free(CONTAINER_OF(oldest, struct room_event, node));
    room->waiting_count--;
    if (log_limit_pass(&limit, 10))
        log_warn("room_events_dropped", LF("resource", room->resource));
}

int64_t room_events_known(const struct room *room) {
    if (!list_empty(&room->waiting))
        return CONTAINER_OF(room->waiting.next, struct room_event, node)->event.rev - 1;
    return lock_store_fed(room->rooms->store, room_resource(room));
}

static void end_waiting(struct room *room, bool apply) {
    LIST_FOREACH_SAFE(it, tmp, &room->waiting) {
        struct room_event *held = CONTAINER_OF(it, struct room_event, node);
        list_remove(it);
        if (apply)
            room_apply_event(room, &held->event);
        mem_free(held);
    }
    room->waiting_count = 0;
}

void room_replay_waiting(struct room *room) {
    if (room->synced && !room->degraded)
        end_waiting(room, true);
}

void room_drop_waiting(struct room *room) {
    end_waiting(room, false);
}
