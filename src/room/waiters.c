/* The waiters are in the store's order. */
#include "waiters.h"

#include "wslock/base/mem.h"

static struct room_waiter *copy_waiter(const struct lock_waiter *w) {
    const struct str parts[] = {w->user_id, w->client_id, w->packed};
    size_t bytes = parts[0].len + parts[1].len + parts[2].len;
    struct room_waiter *copy = mem_zalloc(sizeof *copy + bytes);
    struct str mine[ARRAY_LEN(parts)];
    char *to = (char *)(copy + 1);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].len > 0) {
            memcpy(to, parts[i].p, parts[i].len);
        }
        mine[i] = (struct str){to, parts[i].len};
        to += parts[i].len;
    }
    lock_waiter_decode(mine[0], mine[1], mine[2], &copy->w);
    list_init(&copy->node);
    return copy;
}

struct room_waiter *room_waiter_find(const struct list *waiters, struct str user_id,
                                     struct str client_id) {
    LIST_FOREACH_ENTRY(struct room_waiter, rw, node, waiters) {
        if (str_eq(rw->w.client_id, client_id) && str_eq(rw->w.user_id, user_id)) {
            return rw;
        }
    }
    return NULL;
}

void room_remember_closed(struct room *room, struct str request_id) {
    if (request_id.len == 0 || request_id.len >= sizeof room->closed[0]) {
        return;
    }
    char *slot = room->closed[room->closed_next++ % ARRAY_LEN(room->closed)];
    memcpy(slot, request_id.p, request_id.len);
    slot[request_id.len] = '\0';
}

bool room_was_closed(const struct room *room, struct str request_id) {
    for (size_t i = 0; i < ARRAY_LEN(room->closed); i++) {
        if (room->closed[i][0] != '\0' && str_eqz(request_id, room->closed[i])) {
            return true;
        }
    }
    return false;
}

/* Inserts a copy by `order` and removes the tab's previous record, which is returned (or NULL). The
 * copy keeps notified_sub for the same request; keep_turn: also turn and approved. */
static struct room_waiter *put(struct list *waiters, const struct lock_waiter *w, bool keep_turn) {
    struct room_waiter *rw = copy_waiter(w);
    struct room_waiter *old = room_waiter_find(waiters, rw->w.user_id, rw->w.client_id);
    struct list *before = waiters;
    if (old != NULL) {
        if (str_eq(old->w.request_id, rw->w.request_id)) {
            rw->notified_sub = old->notified_sub;
        }
        rw->turn = keep_turn && old->turn;
        rw->approved = keep_turn && old->approved;
        list_remove(&old->node);
    }
    for (struct list *it = waiters->prev; it != waiters; it = it->prev) {
        if (CONTAINER_OF(it, struct room_waiter, node)->w.order <= rw->w.order) {
            break;
        }
        before = it;
    }
    list_push_back(before, &rw->node); /* inserts before that node */
    return old;
}

void room_waiters_free(struct list *waiters) {
    LIST_FOREACH_ENTRY(struct room_waiter, waiter, node, waiters) {
        list_remove(&waiter->node);
        mem_free(waiter);
    }
}

bool room_waiter_has(const struct lock_view *v, const struct lock_waiter *w) {
    return v->state != LOCK_STATE_FREE && str_eq(w->user_id, v->user_id) &&
           str_eq(w->client_id, v->client_id);
}

void room_waiters_of(const struct lock_snapshot *s, struct list *waiters,
                     struct room_waiters *out) {
    list_init(waiters);
    for (size_t i = 0; i < s->waiter_count; i++) {
        mem_free(put(waiters, &s->waiters[i], false));
    }
    LIST_FOREACH_ENTRY(struct room_waiter, rw, node, waiters) {
        rw->turn = s->lock.state == LOCK_STATE_RESERVED && room_waiter_has(&s->lock, &rw->w);
    }
    *out = (struct room_waiters){waiters, &s->lock, s->median_ms};
}

struct room_waiters room_waiters(const struct room *room) {
    return (struct room_waiters){&room->waiters, &room->lock.view, room->median_ms};
}

bool room_waiter_listed(const struct lock_snapshot *s, struct str user_id, struct str client_id) {
    for (size_t i = 0; i < s->waiter_count; i++) {
        if (str_eq(s->waiters[i].user_id, user_id) && str_eq(s->waiters[i].client_id, client_id)) {
            return true;
        }
    }
    return false;
}

void room_waiters_clear(struct room *room) {
    room_waiters_free(&room->waiters);
    mem_free(room->takeover);
    room->takeover = NULL;
}

bool room_take_place(struct room *room, const struct lock_event *e) {
    struct room_waiter *old =
        room_waiter_find(&room->waiters, e->waiter.user_id, e->waiter.client_id);
    bool over = !e->there || (old != NULL && old->w.queues && !e->waiter.queues);
    room->median_ms = e->median_ms;
    room->lock.view.queue_length = e->queue_length;
    if (e->there) {
        old = put(&room->waiters, &e->waiter, e->cause == LOCK_CAUSE_RECOVERED);
    } else if (old != NULL) {
        room_remember_closed(room, old->w.request_id);
        list_remove(&old->node);
    }
    if (e->cause == LOCK_CAUSE_DENIED || e->cause == LOCK_CAUSE_TIMEOUT ||
        e->cause == LOCK_CAUSE_CANCELLED) {
        room_remember_closed(room, e->waiter.request_id);
    }
    mem_free(old);
    return over;
}

const struct room_waiter *room_settle_turns(struct room *room, enum lock_cause cause,
                                            struct list *over) {
    const struct lock_view *v = &room->lock.view;
    const struct room_waiter *next = NULL;
    LIST_FOREACH_ENTRY(struct room_waiter, rw, node, &room->waiters) {
        bool named = room_waiter_has(v, &rw->w);
        bool reserved = named && v->state == LOCK_STATE_RESERVED;
        if (reserved && !rw->turn) {
            rw->turn = true;
            rw->approved = cause == LOCK_CAUSE_TRANSFERRED;
            next = rw;
        } else if (!reserved && (named || rw->turn)) {
            room_remember_closed(room, rw->w.request_id);
            list_remove(&rw->node);
            list_push_back(over, &rw->node);
        }
    }
    return next;
}

void room_take_waiters(struct room *room, const struct lock_snapshot *s, struct list *replaced) {
    room->median_ms = s->median_ms;
    for (size_t i = 0; i < s->waiter_count; i++) {
        const struct lock_waiter *w = &s->waiters[i];
        bool turn = s->lock.state == LOCK_STATE_RESERVED && room_waiter_has(&s->lock, w);
        struct room_waiter *old = put(&room->waiters, w, turn);
        if (old != NULL && !str_eq(old->w.request_id, w->request_id)) {
            list_push_back(replaced, &old->node);
        } else {
            mem_free(old);
        }
    }
}

/* Requests that ended during a gap; how they ended is unknown. */
static void close_missed(struct room *room, const struct list *waiters) {
    LIST_FOREACH_ENTRY(const struct room_waiter, rw, node, waiters) {
        if (rw->w.requests && rw->w.ends_ms != 0) {
            room_remember_closed(room, rw->w.request_id);
        }
    }
}

void room_retake_waiters(struct room *room, const struct lock_snapshot *s, struct list *gone,
                         struct list *replaced) {
    LIST_FOREACH_ENTRY(struct room_waiter, rw, node, &room->waiters) {
        if (room_waiter_listed(s, rw->w.user_id, rw->w.client_id)) {
            continue;
        }
        list_remove(&rw->node);
        list_push_back(gone, &rw->node);
    }
    room_take_waiters(room, s, replaced);
    close_missed(room, gone);
    close_missed(room, replaced);
}

char *room_keep_takeover(struct room *room, struct lock_takeover *view) {
    char *old = room->takeover;
    char *packed = view->present ? mem_strndup(view->packed.p, view->packed.len) : NULL;
    struct str bytes = {packed, view->present ? view->packed.len : 0};
    room->takeover = packed;
    if (packed != NULL && !lock_takeover_decode(bytes, view)) {
        memset(view, 0, sizeof *view);
    }
    return old;
}
