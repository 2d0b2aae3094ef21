/*
 * Those who wait for the lock, and a pending takeover: the room's copy, and what is told to whom.
 * The order is the store's; a position is counted here, of all places.
 */
#include "private.h"

#include "wslock/base/mem.h"

/* ---- the copy ---- */

static struct room_waiter *copy_waiter(const struct lock_waiter *w) {
    const struct str parts[] = {w->user_id, w->client_id, w->packed};
    size_t bytes = parts[0].len + parts[1].len + parts[2].len;
    struct room_waiter *copy = mem_zalloc(sizeof *copy + bytes);
    struct str mine[ARRAY_LEN(parts)];
    char *to = (char *)(copy + 1);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].len > 0)
            memcpy(to, parts[i].p, parts[i].len);
        mine[i] = (struct str){to, parts[i].len};
        to += parts[i].len;
    }
    lock_waiter_decode(mine[0], mine[1], mine[2], &copy->w);
    list_init(&copy->node);
    return copy;
}

static struct room_waiter *find(const struct room *room, struct str user_id, struct str client_id) {
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        if (str_eq(rw->w.client_id, client_id) && str_eq(rw->w.user_id, user_id))
            return rw;
    }
    return NULL;
}

static void remember_closed(struct room *room, struct str request_id) {
    if (request_id.len == 0 || request_id.len >= sizeof room->closed[0])
        return;
    char *slot = room->closed[room->closed_next++ % ARRAY_LEN(room->closed)];
    memcpy(slot, request_id.p, request_id.len);
    slot[request_id.len] = '\0';
}

static void drop(struct room *room, struct room_waiter *rw) {
    remember_closed(room, rw->w.request_id);
    list_remove(&rw->node);
    mem_free(rw);
}

/* In its place by `order`; in that of the record that there was, if any. */
static struct room_waiter *put(struct room *room, const struct lock_waiter *w) {
    struct room_waiter *rw = copy_waiter(w), *old = find(room, rw->w.user_id, rw->w.client_id);
    struct list *before = &room->waiters;
    if (old) {
        list_remove(&old->node);
        mem_free(old);
    }
    for (struct list *it = room->waiters.prev; it != &room->waiters; it = it->prev) {
        if (CONTAINER_OF(it, struct room_waiter, node)->w.order <= rw->w.order)
            break;
        before = it;
    }
    list_push_back(before, &rw->node); /* a list's end is what stands before its head */
    return rw;
}

static void clear(struct room *room) {
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        list_remove(it);
        mem_free(CONTAINER_OF(it, struct room_waiter, node));
    }
}

void room_waiting_clear(struct room *room) {
    clear(room);
    mem_free(room->takeover);
    room->takeover = NULL;
}

void room_keep_takeover(struct room *room, struct lock_takeover *view) {
    char *packed = view->present ? mem_strndup(view->packed.p, view->packed.len) : NULL;
    struct str bytes = {packed, view->present ? view->packed.len : 0};
    mem_free(room->takeover);
    room->takeover = packed;
    if (packed && !lock_takeover_decode(bytes, view))
        memset(view, 0, sizeof *view);
}

/* ---- who is told ---- */

static void to_waiter(struct room *room, const struct lock_waiter *w, int64_t rev,
                      struct frame *frame) {
    room_send_tab(room, w->user_id, w->client_id, rev, frame);
}

static void to_holder(struct room *room, int64_t rev, struct frame *frame) {
    const struct lock_view *v = &room->lock.view;
    if (v->state == LOCK_STATE_HELD)
        room_send_tab(room, v->user_id, v->client_id, rev, frame);
    else
        frame_unref(frame);
}

struct wire_open_request room_open_request(const struct lock_waiter *w) {
    return (struct wire_open_request){.request_id = w->request_id,
                                      .from = {w->user_id, w->username},
                                      .message = w->message,
                                      .expires_ms = w->ends_ms};
}

bool room_request_is_open(const struct room_waiter *rw) {
    return rw->w.requests && !rw->turn && rw->w.ends_ms > 0;
}

/* Until the lock may come to the one at `position`; -1: nobody knows. */
int64_t room_wait_ms(const struct room *room, int64_t position) {
    const struct lock_view *v = &room->lock.view;
    int64_t now_ms = lock_store_now_ms(room->rooms->store), first = -1, each;
    if (room->median_ms >= 0) {
        each = room->median_ms;
        first = v->since_ms > 0 ? each - (now_ms - v->since_ms) : each;
    } else {
        each = room->policy->lock_ttl_ms;
        if (lock_is_owned(v))
            first = v->expires_ms - now_ms;
    }
    if (first < 0 && room->median_ms < 0 && v->since_ms == 0)
        return -1;
    return (first > 0 ? first : 0) + (position - 1) * each;
}

void room_tell_position(struct room *room, struct room_sub *sub, int64_t position, int64_t rev) {
    sub->told_position = position;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    struct frame *frame = wire_queued(&to, &at, position, room_wait_ms(room, position));
    room_send(sub, rev, frame);
    frame_unref(frame);
}

static struct room_sub *sub_of(struct room *room, const struct lock_waiter *w) {
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        if (room_is_tab(sub, w->user_id, w->client_id))
            return sub;
    }
    return NULL;
}

static void tell_positions(struct room *room) {
    int64_t position = 0;
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        const struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        if (rw->turn)
            continue;
        position++;
        struct room_sub *sub = rw->w.queues ? sub_of(room, &rw->w) : NULL;
        /* One that is pending is told when its join has been answered. */
        if (sub && sub->active && sub->told_position != position)
            room_tell_position(room, sub, position, room->rev);
    }
}

struct frame *room_turn_frame(const struct room *room, const struct room_waiter *rw, int64_t rev) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    int64_t until_ms = room->lock.view.reserved_until_ms;
    return rw->w.requests && (rw->approved || !rw->w.queues || rw->w.ends_ms == 0)
               ? wire_available(&to, &at, until_ms)
               : wire_your_turn(&to, &at, until_ms);
}

struct frame *room_received_frame(const struct room *room, const struct lock_waiter *w,
                                  int64_t rev) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    struct wire_open_request request = room_open_request(w);
    return wire_request_received(&to, &at, &request);
}

struct frame *room_takeover_frame(const struct room *room, int64_t rev) {
    const struct lock_takeover *t = &room->lock.view.takeover;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    struct wire_person admin = {t->user_id, t->username};
    return wire_takeover_requested(&to, &at, t->request_id, &admin, t->reason, t->force_at_ms);
}

/* ---- events ---- */

static void close_request(struct room *room, const struct lock_waiter *w, const char *outcome) {
    struct wire_to to = room_to(room);
    if (w->requests && w->ends_ms > 0)
        to_holder(room, room->rev, wire_request_closed(&to, w->request_id, outcome));
}

static void tell_refusal(struct room *room, const struct lock_waiter *w, const char *reason) {
    const struct lock_view *v = &room->lock.view;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    struct wire_person holder = {0};
    if (lock_is_owned(v))
        holder = (struct wire_person){v->user_id, v->username};
    to_waiter(room, w, room->rev, wire_request_timeout(&to, &at, w->request_id, reason, &holder));
}

static void tell_place(struct room *room, const struct lock_event *e) {
    const struct lock_waiter *w = &e->waiter;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    if (e->cause == LOCK_CAUSE_REQUESTED) {
        to_holder(room, room->rev, room_received_frame(room, w, room->rev));
    } else if (e->cause == LOCK_CAUSE_DENIED) {
        remember_closed(room, w->request_id);
        tell_refusal(room, w, "DENIED");
    } else if (e->cause == LOCK_CAUSE_TIMEOUT) {
        remember_closed(room, w->request_id);
        tell_refusal(room, w, "TIMEOUT");
        close_request(room, w, "TIMEOUT");
    } else if (e->cause == LOCK_CAUSE_CANCELLED) {
        remember_closed(room, w->request_id);
        close_request(room, w, "CANCELLED");
    } else if (e->cause == LOCK_CAUSE_CLAIM_EXPIRED) {
        to_waiter(room, w, room->rev, wire_queue_left(&to, &at, "CLAIM_EXPIRED"));
    } else if (!e->there) {
        close_request(room, w, "LEFT");
    }
}

static void forget_position(struct room *room, const struct lock_waiter *w) {
    struct room_sub *sub = sub_of(room, w);
    if (sub)
        sub->told_position = 0;
}

void room_waiting_place(struct room *room, const struct lock_event *e) {
    room->median_ms = e->median_ms;
    room->lock.view.queue_length = e->queue_length;
    if (e->there) {
        put(room, &e->waiter);
    } else {
        struct room_waiter *rw = find(room, e->waiter.user_id, e->waiter.client_id);
        if (rw)
            drop(room, rw);
    }
    if (!e->there || !e->waiter.queues)
        forget_position(room, &e->waiter);
    tell_place(room, e);
    tell_positions(room);
}

/* Who has got the lock waits no more, and whose turn it was has had it. */
static void settle_turns(struct room *room, enum lock_cause cause, bool tell) {
    const struct lock_view *v = &room->lock.view;
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        bool named = v->state != LOCK_STATE_FREE && str_eq(rw->w.user_id, v->user_id) &&
                     str_eq(rw->w.client_id, v->client_id);
        bool reserved = named && v->state == LOCK_STATE_RESERVED;
        if (reserved && !rw->turn) {
            rw->turn = true;
            rw->approved = cause == LOCK_CAUSE_TRANSFERRED;
            forget_position(room, &rw->w);
            if (tell)
                to_waiter(room, &rw->w, room->rev, room_turn_frame(room, rw, room->rev));
        } else if (!reserved && (named || rw->turn)) {
            forget_position(room, &rw->w);
            drop(room, rw);
        }
    }
}

/* A new holder has everything to answer that the one before had. */
static void tell_new_holder(struct room *room) {
    int64_t rev = room->rev;
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        const struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        if (!room_request_is_open(rw))
            continue;
        to_holder(room, rev, room_received_frame(room, &rw->w, rev));
        if (room->holder)
            rev = room_notice_rev(room, room->holder);
    }
    if (room->lock.view.takeover.present)
        to_holder(room, rev, room_takeover_frame(room, rev));
}

void room_waiting_lock(struct room *room, enum lock_cause cause, bool new_holder) {
    settle_turns(room, cause, true);
    if (new_holder)
        tell_new_holder(room);
    tell_positions(room);
}

void room_waiting_snapshot(struct room *room, const struct lock_snapshot *s) {
    clear(room);
    room->median_ms = s->median_ms;
    for (size_t i = 0; i < s->waiter_count; i++)
        put(room, &s->waiters[i]);
    settle_turns(room, LOCK_CAUSE_NONE, false);
}

/* ---- takeovers ---- */

static void to_admin(struct room *room, const struct lock_takeover *t, struct frame *frame) {
    room_send_tab(room, t->user_id, t->client_id, room->rev, frame);
}

void room_takeover_event(struct room *room, const struct lock_event *e) {
    struct lock_takeover *mine = &room->lock.view.takeover;
    const struct lock_takeover *t = &e->takeover;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    bool gone = t->ended.len > 0;
    if (gone) {
        remember_closed(room, t->request_id);
        memset(mine, 0, sizeof *mine);
    } else {
        *mine = *t;
    }
    room_keep_takeover(room, mine);
    if (gone) {
        struct frame *closed = wire_takeover_closed(&to, t->request_id, t->ended);
        frame_ref(closed);
        to_holder(room, room->rev, closed);
        if (str_eqz(t->ended, "OVERTAKEN"))
            to_admin(room, t, closed);
        else
            frame_unref(closed);
        return;
    }
    if (e->cause == LOCK_CAUSE_DENIED) {
        const struct lock_view *v = &room->lock.view;
        struct str by = to.minimal || v->username.len == 0 ? v->user_id : v->username;
        to_admin(room, t, wire_takeover_denied(&to, t->request_id, by, t->force_at_ms));
        return;
    }
    to_holder(room, room->rev, room_takeover_frame(room, room->rev));
    if (e->cause == LOCK_CAUSE_RECOVERED)
        to_admin(room, t, wire_takeover_pending(&to, &at, t->request_id, t->force_at_ms));
}
