/*
 * Messages to the waiters, and to the holder who is asked for an answer. The end of a place, turn,
 * request or takeover is sent as an event. What waits for a tab is a state: each subscriber keeps
 * what it has been notified of, so that a state is sent once, whichever change caused it.
 */
#include "tell_waiters.h"

#include "deliver.h"
#include "notified.h"
#include "waiters.h"

/* ---- the state of a subscriber ---- */

struct telling {
    struct room *room;
    const struct room_waiters *waiters;
    struct room_sub *sub;
    bool again; /* after a join: also what other messages tell at other times */
};

static void tell(const struct telling *t, int64_t rev, struct wire_message *message) {
    room_send(t->sub, rev, message);
    wire_message_unref(message);
}

/* asked: the turn is the answer to a request. */
static void tell_turn(struct telling *t, bool asked) {
    int64_t until_ms = t->waiters->lock->reserved_until_ms;
    if (t->sub->notified_turn_ms == until_ms) {
        return;
    }
    t->sub->notified_turn_ms = until_ms;
    struct wire_to to = room_to(t->room);
    struct wire_at at = room_at(t->room, room_rev(t->sub));
    tell(t, at.rev,
         asked ? wire_available(&to, &at, until_ms) : wire_your_turn(&to, &at, until_ms));
}

static void tell_position(struct telling *t, int64_t position) {
    if (t->sub->notified_position == position) {
        return;
    }
    t->sub->notified_position = position;
    struct wire_to to = room_to(t->room);
    struct wire_at at = room_at(t->room, room_rev(t->sub));
    tell(t, at.rev, wire_queued(&to, &at, position, room_wait_ms(t->room, t->waiters, position)));
}

static void tell_own(struct telling *t, struct room_waiter *rw, int64_t position) {
    if (rw->turn) {
        tell_turn(t, rw->w.requests && (rw->approved || !rw->w.queues || rw->w.ends_ms == 0));
    } else if (rw->w.queues) {
        tell_position(t, position);
    }
    if (t->again && rw->w.requests && !rw->turn) {
        struct wire_to to = room_to(t->room);
        struct wire_at at = room_at(t->room, room_rev(t->sub));
        tell(t, at.rev,
             wire_requested(&to, &at, rw->w.request_id, rw->w.ends_ms,
                            lock_state_text(t->waiters->lock->state)));
    }
}

static void tell_received(struct telling *t, struct room_waiter *rw) {
    if (rw->notified_sub == t->sub->seq || room_was_closed(t->room, rw->w.request_id)) {
        return; /* closed: the feed has yet to bring the end of what its holder has answered */
    }
    rw->notified_sub = t->sub->seq;
    struct wire_to to = room_to(t->room);
    struct wire_at at = room_at(t->room, room_rev(t->sub));
    struct wire_open_request request = room_open_request(&rw->w);
    tell(t, at.rev, wire_request_received(&to, &at, &request));
}

static struct wire_message *takeover_message(const struct room *room, const struct lock_takeover *t,
                                             int64_t rev) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    struct wire_person admin = {t->user_id, t->username};
    return wire_takeover_requested(&to, &at, t->request_id, &admin, t->reason, t->force_at_ms);
}

static void tell_takeover(struct telling *t, bool holder) {
    const struct lock_view *v = t->waiters->lock;
    const struct lock_takeover *takeover = &v->takeover;
    struct wire_to to = room_to(t->room);
    if (holder) {
        if (str_eqz(takeover->request_id, t->sub->notified_takeover)) {
            return;
        }
        size_t len = takeover->request_id.len;
        if (len < sizeof t->sub->notified_takeover) {
            memcpy(t->sub->notified_takeover, takeover->request_id.p, len);
            t->sub->notified_takeover[len] = '\0';
        }
        int64_t rev = room_rev(t->sub);
        tell(t, rev, takeover_message(t->room, takeover, rev));
    } else if (t->again && room_is_tab(t->sub, takeover->user_id, takeover->client_id)) {
        struct wire_at at = room_at(t->room, room_rev(t->sub));
        tell(t, at.rev,
             wire_takeover_pending(&to, &at, takeover->request_id, takeover->force_at_ms));
        struct str by = to.minimal || v->username.len == 0 ? v->user_id : v->username;
        if (takeover->denied) {
            tell(t, at.rev,
                 wire_takeover_denied(&to, takeover->request_id, by, takeover->force_at_ms));
        }
    }
}

static struct wire_message *disconnected_message(const struct room *room,
                                                 const struct lock_view *lock, int64_t rev) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    struct wire_person holder = {lock->user_id, lock->username};
    return wire_holder_disconnected(&to, &at, &holder, lock->grace_until_ms);
}

static void tell_all(struct telling *t) {
    const struct lock_view *v = t->waiters->lock;
    bool holder = room_sub_owns(t->sub, v) && (t->again || v->state == LOCK_STATE_HELD);
    int64_t position = 0;
    if (room_is_users_turn(v, t->sub)) {
        tell_turn(t, false);
    }
    LIST_FOREACH_ENTRY(struct room_waiter, rw, node, t->waiters->list) {
        position += rw->turn ? 0 : 1;
        if (room_is_tab(t->sub, rw->w.user_id, rw->w.client_id)) {
            tell_own(t, rw, position);
        } else if (holder && room_request_is_open(rw)) {
            tell_received(t, rw);
        }
    }
    if (v->takeover.present) {
        tell_takeover(t, holder);
    }
    if (t->again && v->prompt && v->state == LOCK_STATE_GRACE && !room_sub_owns(t->sub, v)) {
        int64_t rev = room_rev(t->sub);
        tell(t, rev, disconnected_message(t->room, v, rev));
    }
}

/* Open requests were in the reply to its join. */
static void note_received(struct room *room, const struct room_sub *sub) {
    if (!room_sub_owns(sub, &room->lock.view)) {
        return;
    }
    LIST_FOREACH_ENTRY(struct room_waiter, rw, node, &room->waiters) {
        rw->notified_sub = room_request_is_open(rw) ? sub->seq : rw->notified_sub;
    }
}

static void tell_pending(struct room *room) {
    if (list_empty(&room->waiters) && !room->lock.view.takeover.present &&
        room->lock.view.state != LOCK_STATE_RESERVED) {
        return;
    }
    struct room_waiters p = room_waiters(room);
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        if (!sub->active) {
            continue; /* room_activate sends it */
        }
        if (room->rev <= sub->min_rev) {
            note_received(room, sub);
        } else {
            tell_all(&(struct telling){room, &p, sub, false});
        }
    }
}

void room_catch_up(struct room_sub *sub) {
    struct room_waiters p = room_waiters(sub->room);
    tell_all(&(struct telling){sub->room, &p, sub, false});
}

void room_send_open_requests(struct room_sub *sub, const struct lock_snapshot *snapshot) {
    struct room *room = sub->room;
    if (room == NULL || !sub->active || !room->synced) {
        return;
    }
    struct room_waiters p = room_waiters(room);
    struct list waiters;
    list_init(&waiters);
    if (room_is_newer(snapshot, room)) {
        room_waiters_of(snapshot, &waiters, &p);
        note_received(room, sub);
    }
    tell_all(&(struct telling){room, &p, sub, true});
    room_waiters_free(&waiters);
}

void room_tell_disconnected(struct room *room) {
    room_send_all(room, room->rev, disconnected_message(room, &room->lock.view, room->rev));
}

/* ---- the end of a place, turn or request ---- */

static void to_waiter(struct room *room, const struct lock_waiter *w, int64_t rev,
                      struct wire_message *message) {
    room_send_tab(room, w->user_id, w->client_id, rev, message);
}

static void to_holder(struct room *room, int64_t rev, struct wire_message *message) {
    const struct lock_view *v = &room->lock.view;
    if (v->state == LOCK_STATE_HELD) {
        room_send_tab(room, v->user_id, v->client_id, rev, message);
    } else {
        wire_message_unref(message);
    }
}

/* Also for a tab that keeps its place: the event has the place as it was, without `requests`. */
static void close_request(struct room *room, const struct lock_waiter *w, int64_t rev,
                          const char *outcome) {
    struct wire_to to = room_to(room);
    if (w->request_id.len > 0 && w->ends_ms > 0) {
        to_holder(room, rev, wire_request_closed(&to, w->request_id, outcome));
    }
}

static void tell_refusal(struct room *room, const struct lock_waiter *w, int64_t rev,
                         const char *reason) {
    const struct lock_view *v = &room->lock.view;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    struct wire_person holder = {0};
    if (lock_is_owned(v)) {
        holder = (struct wire_person){v->user_id, v->username};
    }
    to_waiter(room, w, rev, wire_request_timeout(&to, &at, w->request_id, reason, &holder));
}

/* The place or turn has ended without a request of its tab. */
static void tell_out(struct room *room, const struct lock_waiter *w, int64_t rev,
                     const char *reason) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    to_waiter(room, w, rev, wire_queue_left(&to, &at, reason));
}

/* To all connections of the tab but the actor's, which gets a reply. */
static void to_others(struct room *room, struct str user_id, struct str client_id, int64_t rev,
                      struct str actor, struct wire_message *message) {
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        struct lock_report_member m;
        if (room_is_tab(sub, user_id, client_id) &&
            !(sub->ops->describe(sub, &m) && str_eq(m.session_id, actor))) {
            room_send(sub, rev, message);
        }
    }
    wire_message_unref(message);
}

static void tell_place(struct room *room, const struct lock_event *e) {
    const struct lock_waiter *w = &e->waiter;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    if (e->cause == LOCK_CAUSE_APPROVED || (e->cause == LOCK_CAUSE_QUEUED && !w->queues)) {
        /* Its turn comes after an administrator's, or an administrator took its turn. */
        to_waiter(room, w, room->rev,
                  wire_requested(&to, &at, w->request_id, w->ends_ms,
                                 lock_state_text(room->lock.view.state)));
    } else if (e->cause == LOCK_CAUSE_DENIED) {
        tell_refusal(room, w, room->rev, "DENIED");
    } else if (e->cause == LOCK_CAUSE_TIMEOUT) {
        tell_refusal(room, w, room->rev, "TIMEOUT");
        close_request(room, w, room->rev, "TIMEOUT");
    } else if (e->cause == LOCK_CAUSE_CANCELLED) {
        close_request(room, w, room->rev, "CANCELLED");
        to_others(room, w->user_id, w->client_id, room->rev, e->actor_session_id,
                  wire_answered(&to, "lock:request_cancelled", w->request_id, NULL));
    } else if (e->cause == LOCK_CAUSE_CLAIM_EXPIRED) {
        tell_out(room, w, room->rev, "CLAIM_EXPIRED");
    } else if (e->cause == LOCK_CAUSE_ADMIN_RELEASED) {
        tell_out(room, w, room->rev, "ADMIN_RELEASED");
    } else if (!e->there) {
        close_request(room, w, room->rev, "LEFT");
        if (e->cause == LOCK_CAUSE_GONE && w->queues) {
            tell_out(room, w, room->rev, "LEFT");
        }
        if (e->cause == LOCK_CAUSE_GONE && w->requests) {
            tell_refusal(room, w, room->rev, "TIMEOUT");
        }
    }
}

/* The place or turn is over, so a later one must be sent again. A subscriber whose snapshot is
 * newer was notified by that, and is left out. */
static void forget_notified(struct room *room, const struct lock_waiter *w) {
    bool named = w->client_id.len > 0; /* else an operator reserved it for that time only */
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        if (room->rev <= sub->min_rev || !room_is_tab(sub, w->user_id, w->client_id)) {
            continue;
        }
        sub->notified_position = 0;
        if (named) {
            sub->notified_turn_ms = 0;
        }
    }
}

static void tell_place_event(struct room *room, const struct room_change *c) {
    if (c->place_over) {
        forget_notified(room, &c->event->waiter);
    }
    tell_place(room, c->event);
    tell_pending(room);
}

/* ---- takeovers ---- */

static void to_admin(struct room *room, const struct lock_takeover *t,
                     struct wire_message *message) {
    room_send_tab(room, t->user_id, t->client_id, room->rev, message);
}

void room_tell_takeover_closed(struct room *room, const struct lock_takeover *t, struct str outcome,
                               struct str actor) {
    struct wire_to to = room_to(room);
    struct wire_message *closed = wire_takeover_closed(&to, t->request_id, outcome);
    int64_t rev = room_state_rev(room);
    wire_message_ref(closed);
    to_holder(room, rev, closed);
    to_others(room, t->user_id, t->client_id, rev, actor, closed);
}

static void tell_takeover_event(struct room *room, const struct lock_event *e) {
    const struct lock_takeover *t = &e->takeover;
    const struct lock_view *v = &room->lock.view;
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room->rev);
    if (t->ended.len > 0) {
        room_tell_takeover_closed(room, t, t->ended, e->actor_session_id);
    } else if (e->cause == LOCK_CAUSE_DENIED) {
        struct str by = to.minimal || v->username.len == 0 ? v->user_id : v->username;
        to_admin(room, t, wire_takeover_denied(&to, t->request_id, by, t->force_at_ms));
    } else if (e->cause == LOCK_CAUSE_RECOVERED) { /* forceAt has changed */
        to_holder(room, room->rev, takeover_message(room, t, room->rev));
        to_admin(room, t, wire_takeover_pending(&to, &at, t->request_id, t->force_at_ms));
    } else {
        tell_pending(room);
    }
}

/* ---- after the lock changed ---- */

/* A new holder gets the open requests, even if it got them before as an earlier holder. */
static void ask_again(struct room *room, const struct lock_view *before) {
    const struct lock_view *now = &room->lock.view;
    if (lock_is_owned(before) && lock_is_owned(now) && str_eq(before->user_id, now->user_id) &&
        str_eq(before->client_id, now->client_id)) {
        return;
    }
    LIST_FOREACH_ENTRY(struct room_waiter, waiter, node, &room->waiters) {
        waiter->notified_sub = 0;
    }
}

static void tell_turns(struct room *room, const struct room_change *c) {
    const struct lock_view *v = &room->lock.view;
    if (c->turn != NULL) {
        forget_notified(room, &c->turn->w);
    }
    LIST_FOREACH_ENTRY(const struct room_waiter, rw, node, &c->over) {
        forget_notified(room, &rw->w);
        if (rw->turn && !room_waiter_has(v, &rw->w) && lock_is_owned(v) &&
            str_eq(rw->w.user_id, v->user_id)) /* another tab of the user has the lock */
        {
            tell_out(room, &rw->w, room_state_rev(room), "LEFT");
        }
    }
}

/* ---- after a gap ---- */

/* Places that clients know from replies alone, and that ended during the gap. */
static void tell_unknown(struct room *room, const struct room_change *c, int64_t rev) {
    const struct lock_snapshot *s = c->snapshot;
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        struct lock_waiter w = {.user_id = sub->user_id, .client_id = sub->client_id};
        const struct room_waiter *rw = room_waiter_find(&c->gone, w.user_id, w.client_id);
        bool known = rw != NULL && (rw->turn || rw->w.queues);
        if (sub->notified_position != 0 && !known && !room_waiter_has(&s->lock, &w) &&
            !room_waiter_listed(s, w.user_id, w.client_id)) {
            tell_out(room, &w, rev, "LEFT");
            sub->notified_position = 0;
        }
    }
}

/* The end of a place or request during the gap. */
static void tell_missed(struct room *room, const struct lock_snapshot *s,
                        const struct lock_waiter *w, bool queued, int64_t rev) {
    bool has = room_waiter_has(&s->lock, w);
    if (queued && !has) {
        tell_out(room, w, rev, "LEFT");
    }
    if (!w->requests || w->ends_ms == 0) {
        return;
    }
    close_request(room, w, rev, "LEFT");
    if (!has) {
        tell_refusal(room, w, rev, "TIMEOUT");
    }
}

static void tell_report(struct room *room, const struct room_change *c) {
    int64_t rev = room_state_rev(room);
    if (c->settled) {
        tell_unknown(room, c, rev);
    }
    LIST_FOREACH_ENTRY(const struct room_waiter, rw, node, &c->gone) {
        tell_missed(room, c->snapshot, &rw->w, rw->turn || rw->w.queues, rev);
        forget_notified(room, &rw->w);
    }
    LIST_FOREACH_ENTRY(const struct room_waiter, rw, node, &c->replaced) {
        tell_missed(room, c->snapshot, &rw->w, false, rev);
    }
    if (!c->settled) {
        return; /* the event of the lock follows */
    }
    tell_turns(room, c);
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        if (sub->active) {
            room_catch_up(sub);
        }
    }
}

void room_tell_waiters(struct room *room, const struct room_change *c) {
    if (c->lock_changed) {
        ask_again(room, &c->before);
    }
    if (c->snapshot != NULL) {
        tell_report(room, c);
    } else if (c->event != NULL && c->event->kind == LOCK_EVENT_WAITER) {
        tell_place_event(room, c);
    } else if (c->event != NULL && c->event->kind == LOCK_EVENT_TAKEOVER) {
        tell_takeover_event(room, c->event);
    } else if (c->settled) {
        tell_turns(room, c);
        tell_pending(room);
    }
}
