/*
 * What waits for one tab, or for its answer: as it is asked for, told as it changes and again after
 * a join, and reported when a shard is resynchronised. What a subscriber has been told is kept with
 * it, so that it is told once, whatever brought the change.
 */
#include "private.h"

#include "wslock/base/mem.h"

/* ---- the places ---- */

struct room_places room_places(const struct room *room) {
    return (struct room_places){&room->waiters, &room->lock.view, room->median_ms};
}

bool room_request_is_open(const struct room_waiter *rw) {
    return rw->w.requests && !rw->turn && rw->w.ends_ms > 0;
}

/* An operator has the lock reserved for this user, on whatever tab. */
static bool is_users_turn(const struct lock_view *v, const struct room_sub *sub) {
    return v->state == LOCK_STATE_RESERVED && v->client_id.len == 0 &&
           str_eq(v->user_id, sub->user_id);
}

static bool holds(const struct lock_view *v, const struct room_sub *sub) {
    return lock_is_owned(v) && room_is_tab(sub, v->user_id, v->client_id);
}

/* Until the lock may come to the one at `position`; -1: nobody knows. */
static int64_t wait_ms(const struct room *room, const struct room_places *p, int64_t position) {
    int64_t now_ms = lock_store_now_ms(room->rooms->store), first = -1, each;
    if (p->median_ms >= 0) {
        each = p->median_ms;
        first = p->lock->since_ms > 0 ? each - (now_ms - p->lock->since_ms) : each;
    } else {
        each = room->policy->lock_ttl_ms;
        if (lock_is_owned(p->lock))
            first = p->lock->expires_ms - now_ms;
    }
    if (first < 0 && p->median_ms < 0 && p->lock->since_ms == 0)
        return -1;
    return (first > 0 ? first : 0) + (position - 1) * each;
}

static struct wire_open_request open_request(const struct lock_waiter *w) {
    return (struct wire_open_request){.request_id = w->request_id,
                                      .from = {w->user_id, w->username},
                                      .message = w->message,
                                      .expires_ms = w->ends_ms};
}

void room_note_position(struct room_sub *sub, int64_t position) {
    sub->told_position = position;
}

int64_t room_estimated_wait_ms(const struct room_sub *sub, int64_t position, int64_t median_ms) {
    struct room *room = sub->room;
    if (!room)
        return -1;
    room->median_ms = median_ms;
    struct room_places p = room_places(room);
    return wait_ms(room, &p, position);
}

bool room_knows_request(const struct room_sub *sub, struct str request_id) {
    const struct room *room = sub->room;
    if (!room)
        return false;
    const struct lock_takeover *t = &room->lock.view.takeover;
    if (t->present && str_eq(t->request_id, request_id))
        return true;
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        if (str_eq(CONTAINER_OF(it, struct room_waiter, node)->w.request_id, request_id))
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(room->closed); i++)
        if (room->closed[i][0] != '\0' && str_eqz(request_id, room->closed[i]))
            return true;
    return false;
}

/* ---- as it is asked for ---- */

static void describe(const struct room *room, const struct room_places *p,
                     const struct room_sub *sub, struct wire_pending *out,
                     struct wire_open_request **received) {
    const struct lock_view *v = p->lock;
    bool holder = holds(v, sub);
    int64_t position = 0;
    size_t count = 0;
    if (is_users_turn(v, sub))
        out->claim_by_ms = v->reserved_until_ms;
    LIST_FOREACH_SAFE(it, tmp, p->waiters) {
        const struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        position += rw->turn ? 0 : 1;
        count++;
        if (!room_is_tab(sub, rw->w.user_id, rw->w.client_id))
            continue;
        if (rw->turn) {
            out->claim_by_ms = v->reserved_until_ms;
        } else if (rw->w.queues) {
            out->position = position;
            out->wait_ms = wait_ms(room, p, position);
        }
        if (rw->w.requests)
            out->own = open_request(&rw->w);
    }
    if (holder && count > 0) {
        *received = mem_calloc(count, sizeof **received);
        LIST_FOREACH_SAFE(it, tmp, p->waiters) {
            const struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
            if (room_request_is_open(rw))
                (*received)[out->received_count++] = open_request(&rw->w);
        }
        out->received = *received;
    }
    const struct lock_takeover *t = &v->takeover;
    if (t->present && (holder || room_is_tab(sub, t->user_id, t->client_id))) {
        out->takeover_id = t->request_id;
        out->admin = (struct wire_person){t->user_id, t->username};
        out->takeover_reason = t->reason;
        out->force_at_ms = t->force_at_ms;
    }
}

static bool is_newer(const struct lock_snapshot *s, const struct room *room) {
    return s && s->rev > room->rev;
}

/* The strings of what is described are the snapshot's, not the list's. */
static void borrow(struct wire_open_request *r, const struct lock_snapshot *s) {
    for (size_t i = 0; i < s->waiter_count; i++)
        if (str_eq(s->waiters[i].request_id, r->request_id)) {
            *r = open_request(&s->waiters[i]);
            return;
        }
}

void room_pending(const struct room_sub *sub, const struct lock_snapshot *snapshot,
                  struct wire_pending *out, struct wire_open_request **received) {
    const struct room *room = sub->room;
    memset(out, 0, sizeof *out);
    *received = NULL;
    if (!room || !room->synced)
        return;
    struct room_places p = room_places(room);
    if (!is_newer(snapshot, room)) {
        describe(room, &p, sub, out, received);
        return;
    }
    struct list waiters;
    room_places_of(snapshot, &waiters, &p);
    describe(room, &p, sub, out, received);
    if (out->own.request_id.len > 0)
        borrow(&out->own, snapshot);
    for (size_t i = 0; *received && i < out->received_count; i++)
        borrow(&(*received)[i], snapshot);
    room_places_free(&waiters);
}

/* ---- as it changes ---- */

/* One subscriber, and what it is told. */
struct telling {
    struct room *room;
    const struct room_places *places;
    struct room_sub *sub;
    bool again; /* after a join: also what is told by itself otherwise */
};

static void tell(const struct telling *t, int64_t rev, struct frame *frame) {
    room_send(t->sub, rev, frame);
    frame_unref(frame);
}

/* asked: it was given by the holder, or is what was asked for. */
static void tell_turn(struct telling *t, bool asked) {
    int64_t until_ms = t->places->lock->reserved_until_ms;
    if (t->sub->told_turn_ms == until_ms)
        return;
    t->sub->told_turn_ms = until_ms;
    struct wire_to to = room_to(t->room);
    struct wire_at at = room_at(t->room, room_rev(t->sub));
    tell(t, at.rev,
         asked ? wire_available(&to, &at, until_ms) : wire_your_turn(&to, &at, until_ms));
}

static void tell_position(struct telling *t, int64_t position) {
    if (t->sub->told_position == position)
        return;
    t->sub->told_position = position;
    struct wire_to to = room_to(t->room);
    struct wire_at at = room_at(t->room, room_rev(t->sub));
    tell(t, at.rev, wire_queued(&to, &at, position, wait_ms(t->room, t->places, position)));
}

static void tell_own(struct telling *t, struct room_waiter *rw, int64_t position) {
    if (rw->turn)
        tell_turn(t, rw->w.requests && (rw->approved || !rw->w.queues || rw->w.ends_ms == 0));
    else if (rw->w.queues)
        tell_position(t, position);
    if (t->again && rw->w.requests && !rw->turn) {
        struct wire_to to = room_to(t->room);
        struct wire_at at = room_at(t->room, room_rev(t->sub));
        tell(t, at.rev,
             wire_requested(&to, &at, rw->w.request_id, rw->w.ends_ms,
                            lock_state_text(t->places->lock->state)));
    }
}

static void tell_received(struct telling *t, struct room_waiter *rw) {
    if (rw->told_to == t->sub->seq)
        return;
    rw->told_to = t->sub->seq;
    struct wire_to to = room_to(t->room);
    struct wire_at at = room_at(t->room, room_rev(t->sub));
    struct wire_open_request request = open_request(&rw->w);
    tell(t, at.rev, wire_request_received(&to, &at, &request));
}

struct frame *room_takeover_frame(const struct room *room, const struct lock_takeover *t,
                                  int64_t rev) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    struct wire_person admin = {t->user_id, t->username};
    return wire_takeover_requested(&to, &at, t->request_id, &admin, t->reason, t->force_at_ms);
}

static void tell_takeover(struct telling *t, bool holder) {
    const struct lock_view *v = t->places->lock;
    const struct lock_takeover *takeover = &v->takeover;
    struct wire_to to = room_to(t->room);
    if (holder) {
        if (str_eqz(takeover->request_id, t->sub->told_takeover))
            return;
        size_t len = takeover->request_id.len;
        if (len < sizeof t->sub->told_takeover) {
            memcpy(t->sub->told_takeover, takeover->request_id.p, len);
            t->sub->told_takeover[len] = '\0';
        }
        int64_t rev = room_rev(t->sub);
        tell(t, rev, room_takeover_frame(t->room, takeover, rev));
    } else if (t->again && room_is_tab(t->sub, takeover->user_id, takeover->client_id)) {
        struct wire_at at = room_at(t->room, room_rev(t->sub));
        tell(t, at.rev,
             wire_takeover_pending(&to, &at, takeover->request_id, takeover->force_at_ms));
        struct str by = to.minimal || v->username.len == 0 ? v->user_id : v->username;
        if (takeover->denied)
            tell(t, at.rev,
                 wire_takeover_denied(&to, takeover->request_id, by, takeover->force_at_ms));
    }
}

static void tell_all(struct telling *t) {
    const struct lock_view *v = t->places->lock;
    bool holder = holds(v, t->sub) && (t->again || v->state == LOCK_STATE_HELD);
    int64_t position = 0;
    if (is_users_turn(v, t->sub))
        tell_turn(t, false);
    LIST_FOREACH_SAFE(it, tmp, t->places->waiters) {
        struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        position += rw->turn ? 0 : 1;
        if (room_is_tab(t->sub, rw->w.user_id, rw->w.client_id))
            tell_own(t, rw, position);
        else if (holder && room_request_is_open(rw))
            tell_received(t, rw);
    }
    if (v->takeover.present)
        tell_takeover(t, holder);
    if (t->again && v->prompt && v->state == LOCK_STATE_GRACE && !holds(v, t->sub)) {
        int64_t rev = room_rev(t->sub);
        tell(t, rev, room_disconnected_frame(t->room, v, rev));
    }
}

/* What came before the answer to its join was in that. */
static void note_received(struct room *room, const struct room_sub *sub) {
    if (!holds(&room->lock.view, sub))
        return;
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        rw->told_to = room_request_is_open(rw) ? sub->seq : rw->told_to;
    }
}

void room_tell_pending(struct room *room) {
    if (list_empty(&room->waiters) && !room->lock.view.takeover.present &&
        room->lock.view.state != LOCK_STATE_RESERVED)
        return;
    struct room_places p = room_places(room);
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        if (!sub->active)
            continue; /* told when it goes on */
        if (room->rev <= sub->min_rev)
            note_received(room, sub);
        else
            tell_all(&(struct telling){room, &p, sub, false});
    }
}

void room_catch_up(struct room_sub *sub) {
    struct room_places p = room_places(sub->room);
    tell_all(&(struct telling){sub->room, &p, sub, false});
}

void room_tell_again(struct room_sub *sub, const struct lock_snapshot *snapshot) {
    struct room *room = sub->room;
    if (!room || !sub->active || !room->synced)
        return;
    struct room_places p = room_places(room);
    struct list waiters;
    list_init(&waiters);
    if (is_newer(snapshot, room)) {
        room_places_of(snapshot, &waiters, &p);
        note_received(room, sub);
    }
    tell_all(&(struct telling){room, &p, sub, true});
    room_places_free(&waiters);
}

/* ---- resynchronising ---- */

void room_report_waiting(const struct room *room, struct lock_report_waiting *out,
                         struct lock_waiter **waiters) {
    const struct lock_view *v = &room->lock.view;
    *out = (struct lock_report_waiting){0};
    *waiters = NULL;
    for (const struct list *it = room->waiters.next; it != &room->waiters; it = it->next)
        out->waiter_count++;
    if (out->waiter_count > 0) {
        size_t n = 0;
        *waiters = mem_calloc(out->waiter_count, sizeof **waiters);
        for (const struct list *it = room->waiters.next; it != &room->waiters; it = it->next)
            (*waiters)[n++] = CONTAINER_OF(it, struct room_waiter, node)->w;
        out->waiters = *waiters;
    }
    if (v->takeover.present)
        out->takeover = v->takeover.packed;
    if (v->state == LOCK_STATE_RESERVED) {
        out->reserved_until_ms = v->reserved_until_ms;
        out->user_id = v->user_id;
        out->username = v->username;
        out->client_id = v->client_id;
    }
}
