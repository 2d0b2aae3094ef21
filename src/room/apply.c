/* Applies events, snapshots and reports to the room's copy of the store's state. Besides, replies
 * (notices.c) and steps of the store's clock (rooms.c) move the deadlines of the copy. */
#include "apply.h"

#include "departed.h"
#include "members.h"
#include "waiters.h"
#include "wslock/base/mem.h"

static void change_init(struct room_change *c) {
    memset(c, 0, sizeof *c);
    list_init(&c->over);
    list_init(&c->gone);
    list_init(&c->replaced);
}

void room_change_fini(struct room_change *c) {
    room_waiters_free(&c->over);
    room_waiters_free(&c->gone);
    room_waiters_free(&c->replaced);
    for (size_t i = 0; i < ARRAY_LEN(c->old); i++) {
        mem_free(c->old[i]);
    }
}

/* Gives view strings of the room's own, in one piece of memory: those of before, if they are the
 * same. old: the previous memory, if not. */
static void keep_strings(struct room_lock_copy *mine, const struct lock_view *before, char **old) {
    struct lock_view *v = &mine->view;
    struct str *const now[] = {&v->user_id, &v->username, &v->client_id, &v->page_id};
    const struct str was[] = {before->user_id, before->username, before->client_id,
                              before->page_id};
    bool same = mine->strings != NULL;
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(now); i++) {
        same = same && str_eq(*now[i], was[i]);
        len += now[i]->len;
    }
    if (!same) {
        *old = mine->strings;
        mine->strings = mem_alloc(len);
    }
    char *at = mine->strings;
    for (size_t i = 0; i < ARRAY_LEN(now); i++) {
        if (!same && now[i]->len > 0) {
            memcpy(at, now[i]->p, now[i]->len);
        }
        now[i]->p = at;
        at += now[i]->len;
    }
}

static bool same_holder(const struct lock_view *a, const struct lock_view *b) {
    return a->state == b->state && str_eq(a->user_id, b->user_id);
}

static void set_lock(struct room *room, const struct lock_view *lock, struct room_change *out) {
    struct room_lock_copy *mine = &room->lock;
    room_candidates(room, out->had);
    out->lock_changed = true;
    out->before = mine->view;
    room->awaits_report = false;
    if (room->rev >= room->ahead_token) {
        room->ahead = NULL;
    }
    if ((mine->view.state == LOCK_STATE_HELD) != (lock->state == LOCK_STATE_HELD)) {
        room->presence_news = true; /* the number of viewers changes */
    }
    bool same = same_holder(&mine->view, lock) && str_eq(mine->view.client_id, lock->client_id);
    if (!same_holder(&mine->view, lock)) /* a renewal does not change presence */
    {
        room_mark_holder(room, false);
    }
    if (lock->token > room->seen_token) {
        room->seen_token = lock->token;
    }
    mine->view = *lock;
    mine->view.policy = (struct str){NULL, 0}; /* rooms have no use for it */
    keep_strings(mine, &out->before, &out->old[0]);
    out->old[1] = room_keep_takeover(room, &mine->view.takeover);
    room_mark_holder(room, true);
    if (!same) {
        room_holder_find(room);
    }
    if (room->holder != NULL) {
        room->ours = lock->token;
    }
    room_departed_settle(room);
}

static void settle(struct room *room, enum lock_cause cause, struct room_change *out) {
    out->settled = true;
    out->turn = room_settle_turns(room, cause, &out->over);
}

/* What became of a pending takeover, if the event of it was missed. */
static enum room_takeover_fate takeover_fate(const struct lock_takeover *t,
                                             const struct lock_view *now) {
    if (!t->present || (now->takeover.present && str_eq(now->takeover.request_id, t->request_id))) {
        return ROOM_TAKEOVER_STANDS;
    }
    bool moved = now->state == LOCK_STATE_HELD && str_eq(now->user_id, t->user_id) &&
                 str_eq(now->client_id, t->client_id);
    return moved ? ROOM_TAKEOVER_MOVED : ROOM_TAKEOVER_CLOSED;
}

static void recover_lock(struct room *room, const struct lock_view *lock,
                         enum lock_cause lost_reason, struct room_change *out) {
    out->cause = LOCK_CAUSE_RECOVERED;
    out->lost_reason = lost_reason;
    set_lock(room, lock, out);
    out->takeover = takeover_fate(&out->before.takeover, &room->lock.view);
    if (out->takeover == ROOM_TAKEOVER_CLOSED) {
        room_remember_closed(room, out->before.takeover.request_id);
    }
}

static void apply_lock(struct room *room, const struct lock_event *e, struct room_change *out) {
    if (e->cause == LOCK_CAUSE_RECOVERED) {
        recover_lock(room, &e->lock, LOCK_CAUSE_STORE_LOST, out);
    } else {
        set_lock(room, &e->lock, out);
    }
    if (e->cause != LOCK_CAUSE_RENEWED) {
        settle(room, e->cause, out);
    }
}

static void apply_takeover(struct room *room, const struct lock_event *e, struct room_change *out) {
    struct lock_takeover *mine = &room->lock.view.takeover;
    *mine = e->takeover;
    if (e->takeover.ended.len > 0) {
        memset(mine, 0, sizeof *mine);
        room_remember_closed(room, e->takeover.request_id);
    }
    out->old[1] = room_keep_takeover(room, mine);
}

bool room_apply_event(struct room *room, const struct lock_event *e, struct room_change *out) {
    change_init(out);
    if (e->rev <= room->rev) {
        return false;
    }
    room->rev = e->rev;
    out->event = e;
    out->cause = e->cause;
    switch (e->kind) {
    case LOCK_EVENT_LOCK:
        apply_lock(room, e, out);
        break;
    case LOCK_EVENT_JOIN:
        room_count_members(room, e->member_count);
        room_member_join(room, &e->member);
        room_departed_return(room, e->member.user_id, e->member.client_id);
        break;
    case LOCK_EVENT_LEAVE:
        room_count_members(room, e->member_count);
        room_member_leave(room, &e->member);
        break;
    case LOCK_EVENT_WAITER:
        out->place_over = room_take_place(room, e);
        break;
    case LOCK_EVENT_TAKEOVER:
        apply_takeover(room, e, out);
        break;
    case LOCK_EVENT_OPERATION:
        break; /* the LOCK that follows has the change */
    }
    return true;
}

void room_apply_snapshot(struct room *room, const struct lock_snapshot *s) {
    struct room_change change;
    change_init(&change);
    room_take_members(room, s);
    room->rev = s->rev;
    set_lock(room, &s->lock, &change);
    room_waiters_free(&room->waiters);
    room_take_waiters(room, s, &change.replaced);
    settle(room, LOCK_CAUSE_NONE, &change);
    room->synced = true;
    room_change_fini(&change);
}

void room_apply_recovered(struct room *room, const struct lock_view *lock,
                          enum lock_cause lost_reason, struct room_change *out) {
    change_init(out);
    recover_lock(room, lock, lost_reason, out);
    settle(room, LOCK_CAUSE_RECOVERED, out);
}

void room_apply_report(struct room *room, const struct lock_snapshot *s, enum room_report_kind kind,
                       enum lock_cause lost_reason, struct room_change *out) {
    change_init(out);
    out->snapshot = s;
    room_take_members(room, s);
    if (kind == ROOM_REPORT_WHOLE) {
        recover_lock(room, &s->lock, lost_reason, out);
    }
    room_retake_waiters(room, s, &out->gone, &out->replaced);
    if (kind != ROOM_REPORT_PENDING) {
        settle(room, LOCK_CAUSE_NONE, out);
    }
}
