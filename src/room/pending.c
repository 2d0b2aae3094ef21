/*
 * What waits for one tab, or for its answer: as it is asked for, told again after a join, and
 * reported when a shard is resynchronised.
 */
#include "private.h"

#include "wslock/base/mem.h"

static bool waits_in_queue(const struct room_waiter *rw) {
    return rw->w.queues && !rw->turn;
}

static bool holds(const struct room *room, const struct room_sub *sub) {
    const struct lock_view *v = &room->lock.view;
    return lock_is_owned(v) && room_is_tab(sub, v->user_id, v->client_id);
}

void room_pending(const struct room_sub *sub, struct wire_pending *out,
                  struct wire_open_request **received) {
    const struct room *room = sub->room;
    memset(out, 0, sizeof *out);
    *received = NULL;
    if (!room || !room->synced)
        return;
    const struct lock_view *v = &room->lock.view;
    bool holder = holds(room, sub);
    int64_t position = 0;
    size_t count = 0;
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        const struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        position += rw->turn ? 0 : 1;
        count++;
        if (!room_is_tab(sub, rw->w.user_id, rw->w.client_id))
            continue;
        if (rw->turn)
            out->claim_by_ms = v->reserved_until_ms;
        if (waits_in_queue(rw)) {
            out->position = position;
            out->wait_ms = room_wait_ms(room, position);
        }
        if (rw->w.requests)
            out->own = room_open_request(&rw->w);
    }
    if (holder && count > 0) {
        *received = mem_calloc(count, sizeof **received);
        LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
            const struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
            if (room_request_is_open(rw))
                (*received)[out->received_count++] = room_open_request(&rw->w);
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

static void send_notice(struct room_sub *sub, int64_t rev, struct frame *frame) {
    room_send(sub, rev, frame);
    frame_unref(frame);
}

void room_tell_again(struct room_sub *sub) {
    struct room *room = sub->room;
    if (!room || !sub->active || !room->synced)
        return;
    const struct lock_view *v = &room->lock.view;
    struct wire_to to = room_to(room);
    bool holder = holds(room, sub);
    int64_t position = 0;
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        const struct room_waiter *rw = CONTAINER_OF(it, struct room_waiter, node);
        bool own = room_is_tab(sub, rw->w.user_id, rw->w.client_id);
        position += rw->turn ? 0 : 1;
        if (own && rw->turn) {
            int64_t rev = room_notice_rev(room, sub);
            send_notice(sub, rev, room_turn_frame(room, rw, rev));
        } else if (own && rw->w.queues && sub->told_position != position) {
            room_tell_position(room, sub, position, room_notice_rev(room, sub));
        }
        if (own && room_request_is_open(rw)) {
            struct wire_at at = room_at(room, room_notice_rev(room, sub));
            send_notice(sub, at.rev,
                        wire_requested(&to, &at, rw->w.request_id, rw->w.ends_ms,
                                       lock_state_text(v->state)));
        } else if (holder && room_request_is_open(rw)) {
            int64_t rev = room_notice_rev(room, sub);
            send_notice(sub, rev, room_received_frame(room, &rw->w, rev));
        }
    }
    const struct lock_takeover *t = &v->takeover;
    if (!t->present)
        return;
    if (holder) {
        int64_t rev = room_notice_rev(room, sub);
        send_notice(sub, rev, room_takeover_frame(room, rev));
    } else if (room_is_tab(sub, t->user_id, t->client_id)) {
        struct wire_at at = room_at(room, room_notice_rev(room, sub));
        send_notice(sub, at.rev, wire_takeover_pending(&to, &at, t->request_id, t->force_at_ms));
    }
}

void room_note_position(struct room_sub *sub, int64_t position) {
    sub->told_position = position;
}

int64_t room_estimated_wait_ms(const struct room_sub *sub, int64_t position, int64_t median_ms) {
    struct room *room = sub->room;
    if (!room)
        return -1;
    room->median_ms = median_ms;
    return room_wait_ms(room, position);
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

/* ---- resynchronising ---- */

void room_report_waiting(const struct room *room, struct lock_report_waiting *out,
                         struct lock_waiter **waiters) {
    const struct lock_view *v = &room->lock.view;
    *out = (struct lock_report_waiting){.prompt = v->prompt};
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
