/* What a subscriber is notified of: as `pending` in replies, in reports, and what it has been sent.
 */
#include "notified.h"

#include "waiters.h"
#include "wslock/base/mem.h"

bool room_is_users_turn(const struct lock_view *v, const struct room_sub *sub) {
    return v->state == LOCK_STATE_RESERVED && v->client_id.len == 0 &&
           str_eq(v->user_id, sub->user_id);
}

int64_t room_wait_ms(const struct room *room, const struct room_waiters *waiters,
                     int64_t position) {
    int64_t now_ms = lock_store_now_at_ms(room->rooms->store, room_resource(room)), first = -1,
            each;
    if (waiters->median_ms >= 0) {
        each = waiters->median_ms;
        first = waiters->lock->since_ms > 0 ? each - (now_ms - waiters->lock->since_ms) : each;
    } else {
        each = room->type->policy->lock_ttl_ms;
        if (lock_is_owned(waiters->lock)) {
            first = waiters->lock->expires_ms - now_ms;
        }
    }
    if (first < 0 && waiters->median_ms < 0 && waiters->lock->since_ms == 0) {
        return -1;
    }
    return (first > 0 ? first : 0) + (position - 1) * each;
}

struct wire_open_request room_open_request(const struct lock_waiter *w) {
    return (struct wire_open_request){.request_id = w->request_id,
                                      .from = {w->user_id, w->username},
                                      .message = w->message,
                                      .expires_ms = w->ends_ms};
}

void room_forget_notified(struct room_sub *sub) {
    sub->notified_position = sub->notified_turn_ms = 0;
    sub->notified_takeover[0] = '\0';
    LIST_FOREACH_ENTRY(struct room_waiter, rw, node, &sub->room->waiters) {
        if (rw->notified_sub == sub->seq) {
            rw->notified_sub = 0;
        }
    }
}

void room_note_position(struct room_sub *sub, int64_t position, int64_t rev) {
    bool older = sub->notified_position != 0 && sub->room != NULL && rev < sub->room->rev;
    if (!older) /* than the last event */
    {
        sub->notified_position = position;
    }
}

int64_t room_estimated_wait_ms(const struct room_sub *sub, int64_t position, int64_t median_ms) {
    struct room *room = sub->room;
    if (room == NULL) {
        return -1;
    }
    room->median_ms = median_ms;
    struct room_waiters p = room_waiters(room);
    return room_wait_ms(room, &p, position);
}

bool room_knows_request(const struct room_sub *sub, struct str request_id) {
    const struct room *room = sub->room;
    if (room == NULL) {
        return false;
    }
    const struct lock_takeover *t = &room->lock.view.takeover;
    if (t->present && str_eq(t->request_id, request_id)) {
        return true;
    }
    LIST_FOREACH_ENTRY(struct room_waiter, waiter, node, &room->waiters) {
        if (str_eq(waiter->w.request_id, request_id)) {
            return true;
        }
    }
    return room_was_closed(room, request_id);
}

void room_note_answered(struct room_sub *sub, struct str request_id) {
    if (sub->room != NULL) {
        room_remember_closed(sub->room, request_id);
    }
}

/* ---- `pending` in replies ---- */

static void describe(const struct room *room, const struct room_waiters *p,
                     const struct room_sub *sub, struct wire_pending *out,
                     struct wire_open_request **received) {
    const struct lock_view *v = p->lock;
    bool holder = room_sub_owns(sub, v);
    int64_t position = 0;
    size_t count = 0;
    if (room_is_users_turn(v, sub)) {
        out->claim_by_ms = v->reserved_until_ms;
    }
    LIST_FOREACH_ENTRY(const struct room_waiter, rw, node, p->list) {
        position += rw->turn ? 0 : 1;
        count++;
        if (!room_is_tab(sub, rw->w.user_id, rw->w.client_id)) {
            continue;
        }
        if (rw->turn) {
            out->claim_by_ms = v->reserved_until_ms;
        } else if (rw->w.queues) {
            out->position = position;
            out->wait_ms = room_wait_ms(room, p, position);
        }
        if (rw->w.requests) {
            out->own = room_open_request(&rw->w);
        }
    }
    if (holder && count > 0) {
        *received = mem_calloc(count, sizeof **received);
        LIST_FOREACH_ENTRY(const struct room_waiter, rw, node, p->list) {
            if (room_request_is_open(rw)) {
                (*received)[out->received_count++] = room_open_request(&rw->w);
            }
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

bool room_is_newer(const struct lock_snapshot *s, const struct room *room) {
    return s != NULL && s->rev > room->rev;
}

/* Points its strings into the snapshot: the list is freed. */
static void borrow(struct wire_open_request *r, const struct lock_snapshot *s) {
    for (size_t i = 0; i < s->waiter_count; i++) {
        if (str_eq(s->waiters[i].request_id, r->request_id)) {
            *r = room_open_request(&s->waiters[i]);
            return;
        }
    }
}

void room_pending(const struct room_sub *sub, const struct lock_snapshot *snapshot,
                  struct wire_pending *out, struct wire_open_request **received) {
    const struct room *room = sub->room;
    memset(out, 0, sizeof *out);
    *received = NULL;
    if (room == NULL || !room->synced) {
        return;
    }
    struct room_waiters p = room_waiters(room);
    if (!room_is_newer(snapshot, room)) {
        describe(room, &p, sub, out, received);
        return;
    }
    struct list waiters;
    room_waiters_of(snapshot, &waiters, &p);
    describe(room, &p, sub, out, received);
    if (out->own.request_id.len > 0) {
        borrow(&out->own, snapshot);
    }
    for (size_t i = 0; *received != NULL && i < out->received_count; i++) {
        borrow(&(*received)[i], snapshot);
    }
    room_waiters_free(&waiters);
}

/* ---- reports ---- */

void room_report_waiters(const struct room *room, struct lock_report_waiting *out,
                         struct lock_waiter **waiters) {
    const struct lock_view *v = &room->lock.view;
    *out = (struct lock_report_waiting){0};
    *waiters = NULL;
    out->waiter_count = list_count(&room->waiters);
    if (out->waiter_count > 0) {
        size_t n = 0;
        *waiters = mem_calloc(out->waiter_count, sizeof **waiters);
        LIST_FOREACH_ENTRY(const struct room_waiter, waiter, node, &room->waiters) {
            (*waiters)[n++] = waiter->w;
        }
        out->waiters = *waiters;
    }
    if (v->takeover.present) {
        out->takeover = v->takeover.packed;
    }
    if (v->state == LOCK_STATE_RESERVED) {
        out->reserved_until_ms = v->reserved_until_ms;
        out->user_id = v->user_id;
        out->username = v->username;
        out->client_id = v->client_id;
    }
}
