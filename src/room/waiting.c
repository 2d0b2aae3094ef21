/*
 * Those who wait for the lock, and a pending takeover: the room's copy, and what is told when
 * something of it is over. What goes on waiting, and for whom, tells pending.c. The order is the
 * store's.
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

static struct room_waiter *find(const struct list *waiters, struct str user_id,
                                struct str client_id) {
    LIST_FOREACH_SAFE(it, tmp, waiters) {
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

/* In its place by `order`; in that of the record that there was, if any. What the holder was told
 * of stays told; keep_turn: so does whose turn it is. */
static void put(struct list *waiters, const struct lock_waiter *w, bool keep_turn) {
    struct room_waiter *rw = copy_waiter(w), *old = find(waiters, rw->w.user_id, rw->w.client_id);
    struct list *before = waiters;
    if (old) {
        if (str_eq(old->w.request_id, rw->w.request_id))
            rw->told_to = old->told_to;
        rw->turn = keep_turn && old->turn;
        rw->approved = keep_turn && old->approved;
        list_remove(&old->node);
        mem_free(old);
    }
    for (struct list *it = waiters->prev; it != waiters; it = it->prev) {
        if (CONTAINER_OF(it, struct room_waiter, node)->w.order <= rw->w.order)
            break;
        before = it;
    }
    list_push_back(before, &rw->node); /* a list's end is what stands before its head */
}

void room_places_free(struct list *waiters) {
    LIST_FOREACH_SAFE(it, tmp, waiters) {
        list_remove(it);
        mem_free(CONTAINER_OF(it, struct room_waiter, node));
    }
}

static bool has_it(const struct lock_view *v, const struct lock_waiter *w) {
    return v->state != LOCK_STATE_FREE && str_eq(w->user_id, v->user_id) &&
           str_eq(w->client_id, v->client_id);
}

void room_places_of(const struct lock_snapshot *s, struct list *waiters, struct room_places *out) {
    list_init(waiters);
    for (size_t i = 0; i < s->waiter_count; i++)
        put(waiters, &s->waiters[i], false);
    LIST_FOREACH_SAFE(it, tmp, waiters) {
        struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        rw->turn = s->lock.state == LOCK_STATE_RESERVED && has_it(&s->lock, &rw->w);
    }
    *out = (struct room_places){waiters, &s->lock, s->median_ms};
}

void room_waiting_clear(struct room *room) {
    room_places_free(&room->waiters);
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

/* ---- events ---- */

/* Also of a tab that waits on without it: its place is told as it was, without `requests`. */
static void close_request(struct room *room, const struct lock_waiter *w, int64_t rev,
                          const char *outcome) {
    struct wire_to to = room_to(room);
    if (w->request_id.len > 0 && w->ends_ms > 0)
        to_holder(room, rev, wire_request_closed(&to, w->request_id, outcome));
}

static void tell_refusal(struct room *room, const struct lock_waiter *w, int64_t rev,
                         const char *reason) {
    const struct lock_view *v = &room->lock.view;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    struct wire_person holder = {0};
    if (lock_is_owned(v))
        holder = (struct wire_person){v->user_id, v->username};
    to_waiter(room, w, rev, wire_request_timeout(&to, &at, w->request_id, reason, &holder));
}

/* The tab lost its place, or its turn, without having done anything. */
static void tell_out(struct room *room, const struct lock_waiter *w, int64_t rev,
                     const char *reason) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    to_waiter(room, w, rev, wire_queue_left(&to, &at, reason));
}

/* To all connections of the tab but the one whose request it was, which is answered. */
static void to_others(struct room *room, struct str user_id, struct str client_id, int64_t rev,
                      struct str actor, struct frame *frame) {
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        struct lock_report_member m;
        if (room_is_tab(sub, user_id, client_id) &&
            !(sub->ops->describe(sub, &m) && str_eq(m.session_id, actor)))
            room_send(sub, rev, frame);
    }
    frame_unref(frame);
}

static void tell_place(struct room *room, const struct lock_event *e) {
    const struct lock_waiter *w = &e->waiter;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    if (e->cause == LOCK_CAUSE_APPROVED || (e->cause == LOCK_CAUSE_QUEUED && !w->queues)) {
        /* It has to wait behind an administrator; or it had it reserved, and lost it to one. */
        to_waiter(room, w, room->rev,
                  wire_requested(&to, &at, w->request_id, w->ends_ms,
                                 lock_state_text(room->lock.view.state)));
    } else if (e->cause == LOCK_CAUSE_DENIED) {
        remember_closed(room, w->request_id);
        tell_refusal(room, w, room->rev, "DENIED");
    } else if (e->cause == LOCK_CAUSE_TIMEOUT) {
        remember_closed(room, w->request_id);
        tell_refusal(room, w, room->rev, "TIMEOUT");
        close_request(room, w, room->rev, "TIMEOUT");
    } else if (e->cause == LOCK_CAUSE_CANCELLED) {
        remember_closed(room, w->request_id);
        close_request(room, w, room->rev, "CANCELLED");
        to_others(room, w->user_id, w->client_id, room->rev, e->actor_session_id,
                  wire_answered(&to, "lock:request_cancelled", w->request_id, NULL));
    } else if (e->cause == LOCK_CAUSE_CLAIM_EXPIRED) {
        tell_out(room, w, room->rev, "CLAIM_EXPIRED");
    } else if (e->cause == LOCK_CAUSE_ADMIN_RELEASED) {
        tell_out(room, w, room->rev, "ADMIN_RELEASED");
    } else if (!e->there) {
        close_request(room, w, room->rev, "LEFT");
        if (e->cause == LOCK_CAUSE_GONE && w->queues)
            tell_out(room, w, room->rev, "LEFT");
        if (e->cause == LOCK_CAUSE_GONE && w->requests)
            tell_refusal(room, w, room->rev, "TIMEOUT");
    }
}

/* Its place or turn is over: a later one is told. Not of those whose join told what came after. */
static void forget_told(struct room *room, const struct lock_waiter *w) {
    bool named = w->client_id.len > 0; /* else an operator reserved it, for that time only */
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        if (room->rev <= sub->min_rev || !room_is_tab(sub, w->user_id, w->client_id))
            continue;
        sub->told_position = 0;
        if (named)
            sub->told_turn_ms = 0;
    }
}

void room_waiting_place(struct room *room, const struct lock_event *e) {
    room->median_ms = e->median_ms;
    room->lock.view.queue_length = e->queue_length;
    struct room_waiter *old = find(&room->waiters, e->waiter.user_id, e->waiter.client_id);
    bool queued = old && old->w.queues;
    if (e->there)
        put(&room->waiters, &e->waiter, e->cause == LOCK_CAUSE_RECOVERED);
    else if (old)
        drop(room, old);
    if (!e->there || (queued && !e->waiter.queues))
        forget_told(room, &e->waiter);
    tell_place(room, e);
    room_tell_pending(room);
}

/* Who has got the lock waits no more, and whose turn it was has had it. */
static void settle_turns(struct room *room, enum lock_cause cause) {
    const struct lock_view *v = &room->lock.view;
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        bool named = has_it(v, &rw->w), reserved = named && v->state == LOCK_STATE_RESERVED;
        if (reserved && !rw->turn) {
            rw->turn = true;
            rw->approved = cause == LOCK_CAUSE_TRANSFERRED;
            forget_told(room, &rw->w);
        } else if (!reserved && (named || rw->turn)) {
            forget_told(room, &rw->w);
            if (rw->turn && !named && lock_is_owned(v) && str_eq(rw->w.user_id, v->user_id))
                tell_out(room, &rw->w, room->rev, "LEFT"); /* the user's other tab took it */
            drop(room, rw);
        }
    }
}

void room_waiting_lock(struct room *room, enum lock_cause cause) {
    if (cause == LOCK_CAUSE_RENEWED)
        return;
    settle_turns(room, cause);
    room_tell_pending(room);
}

static void take_places(struct room *room, const struct lock_snapshot *s) {
    room->median_ms = s->median_ms;
    for (size_t i = 0; i < s->waiter_count; i++)
        put(&room->waiters, &s->waiters[i],
            s->lock.state == LOCK_STATE_RESERVED && has_it(&s->lock, &s->waiters[i]));
}

void room_waiting_snapshot(struct room *room, const struct lock_snapshot *s) {
    room_places_free(&room->waiters);
    take_places(room, s);
    settle_turns(room, LOCK_CAUSE_NONE);
}

/* A place, or a request of one, that is over: what was missed of its end. */
static void tell_missed(struct room *room, const struct lock_snapshot *s,
                        const struct lock_waiter *w, bool queued, int64_t rev) {
    bool has = has_it(&s->lock, w);
    if (queued && !has)
        tell_out(room, w, rev, "LEFT");
    if (!w->requests || w->ends_ms == 0)
        return;
    remember_closed(room, w->request_id);
    close_request(room, w, rev, "LEFT");
    if (!has)
        tell_refusal(room, w, rev, "TIMEOUT");
}

static bool is_listed(const struct lock_snapshot *s, const struct lock_waiter *w) {
    for (size_t i = 0; i < s->waiter_count; i++)
        if (str_eq(s->waiters[i].user_id, w->user_id) &&
            str_eq(s->waiters[i].client_id, w->client_id))
            return true;
    return false;
}

/* Whose place was told by a reply alone, and is over before an event told of it. */
static void tell_unknown(struct room *room, const struct lock_snapshot *s, int64_t rev) {
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        struct lock_waiter w = {.user_id = sub->user_id, .client_id = sub->client_id};
        const struct room_waiter *rw = find(&room->waiters, w.user_id, w.client_id);
        bool known = rw && (rw->turn || rw->w.queues);
        if (sub->told_position != 0 && !known && !is_listed(s, &w) && !has_it(&s->lock, &w)) {
            tell_out(room, &w, rev, "LEFT");
            sub->told_position = 0;
        }
    }
}

/* ---- takeovers ---- */

static void to_admin(struct room *room, const struct lock_takeover *t, struct frame *frame) {
    room_send_tab(room, t->user_id, t->client_id, room->rev, frame);
}

static void close_takeover(struct room *room, const struct lock_takeover *t, struct str outcome,
                           int64_t rev, struct str actor) {
    struct wire_to to = room_to(room);
    struct frame *closed = wire_takeover_closed(&to, t->request_id, outcome);
    remember_closed(room, t->request_id);
    frame_ref(closed);
    to_holder(room, rev, closed);
    to_others(room, t->user_id, t->client_id, rev, actor, closed);
}

void room_takeover_event(struct room *room, const struct lock_event *e) {
    struct lock_takeover *mine = &room->lock.view.takeover;
    const struct lock_takeover *t = &e->takeover;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    bool gone = t->ended.len > 0;
    if (gone)
        memset(mine, 0, sizeof *mine);
    else
        *mine = *t;
    room_keep_takeover(room, mine);
    if (gone) {
        close_takeover(room, t, t->ended, room->rev, e->actor_session_id);
    } else if (e->cause == LOCK_CAUSE_DENIED) {
        const struct lock_view *v = &room->lock.view;
        struct str by = to.minimal || v->username.len == 0 ? v->user_id : v->username;
        to_admin(room, t, wire_takeover_denied(&to, t->request_id, by, t->force_at_ms));
    } else if (e->cause == LOCK_CAUSE_RECOVERED) { /* its time has changed */
        to_holder(room, room->rev, room_takeover_frame(room, t, room->rev));
        to_admin(room, t, wire_takeover_pending(&to, &at, t->request_id, t->force_at_ms));
    } else {
        room_tell_pending(room);
    }
}

/* ---- after events were missed ---- */

void room_takeover_missed(struct room *room, const struct lock_takeover *t) {
    const struct lock_view *v = &room->lock.view;
    if (!t->present || (v->takeover.present && str_eq(v->takeover.request_id, t->request_id)))
        return;
    int64_t rev = room_state_rev(room);
    if (v->state != LOCK_STATE_HELD || !str_eq(v->user_id, t->user_id) ||
        !str_eq(v->client_id, t->client_id)) {
        close_takeover(room, t, str_of("CANCELLED"), rev, (struct str){NULL, 0});
        return;
    }
    struct lock_event moved = {.kind = LOCK_EVENT_LOCK, .rev = rev, .lock = *v};
    room_tell_admin(room, &moved, rev);
}

void room_waiting_resync(struct room *room, const struct lock_snapshot *s, bool settled) {
    int64_t rev = room_state_rev(room);
    if (settled)
        tell_unknown(room, s, rev);
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        if (is_listed(s, &rw->w))
            continue;
        list_remove(it);
        tell_missed(room, s, &rw->w, rw->turn || rw->w.queues, rev);
        forget_told(room, &rw->w);
        mem_free(rw);
    }
    for (size_t i = 0; i < s->waiter_count; i++) {
        struct room_waiter *old =
            find(&room->waiters, s->waiters[i].user_id, s->waiters[i].client_id);
        if (old && !str_eq(old->w.request_id, s->waiters[i].request_id))
            tell_missed(room, s, &old->w, false, rev);
    }
    take_places(room, s);
    if (!settled)
        return; /* the event of the lock comes */
    settle_turns(room, LOCK_CAUSE_NONE);
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        if (sub->active)
            room_catch_up(sub);
    }
}
