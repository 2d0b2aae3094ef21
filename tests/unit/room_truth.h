/*
 * A plain model of one resource in the store: what a script would do, as far as a room can see it,
 * and the log of the events.
 */
#ifndef WSLOCK_TESTS_UNIT_ROOM_TRUTH_H
#define WSLOCK_TESTS_UNIT_ROOM_TRUTH_H

#include "seeded.h"

#include <jansson.h>

#include "wslock/base/clock.h"
#include "wslock/base/map.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"
#include "wslock/room/room.h"

#define R "page:7:main"
#define PEOPLE 6
#define LOG_MAX 8192
#define TOLD_MAX 128
#define REPORTS_MAX 64
#define NOW_MS 1000000 /* of the store's clock, at the start */
#define TICK 10        /* between two revs */
#define SOME_MS 30000  /* every deadline */

/* The whole room, in buffers of its own. */
struct picture {
    struct lock_snapshot s;
    struct lock_member members[PEOPLE];
    struct lock_waiter waiters[PEOPLE + 1];
};

struct report {
    lock_report_cb report_cb; /* REPORT_ROOM */
    lock_cb cb;               /* the others */
    void *arg;
    enum { REPORT_ROOM, REPORT_STATUS, REPORT_GIVE_UP } kind;
    size_t count;
    struct lock_report_member members[PEOPLE + 1];
    struct lock_report_waiting waiting;
    int64_t seen_token, known, token;
};

struct world;

struct person {
    struct room_sub sub;
    struct world *world;
    const char *name, *client, *session;
    bool in;     /* in the store's room */
    bool absent; /* with a place */
    bool here;   /* subscribed */
    bool deaf;   /* what it is told is not kept */
    int64_t token, lost_token, lost_rev, joined_ms, since_ms, expires_ms;
    enum lock_cause lost_reason;
    bool asking;              /* a request has no answer yet */
    char told[TOLD_MAX][192]; /* since the last look */
    size_t told_count;
    struct frame *last; /* of the last message */
};

struct lock_store { /* the store, and what its library knows */
    int64_t now_ms, fed, confirmed_until_ms;
    bool served; /* the rooms' shard, while the store is away as a whole */
    bool window;
    struct report reports[REPORTS_MAX];
    size_t report_count, done;
    int followed; /* rooms */
};

struct world {
    struct lock_store store;
    struct config_policy policy;
    struct config_resource_type type;
    struct wheel *wheel;
    struct rooms *rooms;
    struct person people[PEOPLE];
    /* the truth */
    int64_t rev;
    struct lock_view lock;
    struct lock_member members[PEOPLE];
    struct lock_waiter waiters[PEOPLE], turn; /* in order; for whom it is reserved */
    size_t member_count, waiter_count;
    bool has_turn;
    unsigned sessions, requests;
    uint64_t boot_ms;
    struct lock_event log[LOG_MAX];
    size_t logged, fed;  /* events; of those given to the rooms, or lost */
    char superseded[64]; /* the last session that the rooms named */
    void *kept[2 * LOG_MAX];
    size_t kept_count;
    /* Of each message, once it is noted as text; NULL: nobody wants to know. */
    void (*on_told)(struct person *p, const char *event, const json_t *data);
};

static inline void *keep(struct world *w, void *memory) {
    assert_true(w->kept_count < ARRAY_LEN(w->kept));
    return w->kept[w->kept_count++] = memory;
}

static inline void pack_str(char **to, struct str s) {
    *(*to)++ = (char)0xd9;
    *(*to)++ = (char)s.len;
    for (size_t i = 0; i < s.len; i++) {
        *(*to)++ = s.p[i];
    }
}

static inline void pack_int(char **to, int64_t value) {
    *(*to)++ = (char)0xd3;
    for (int shift = 56; shift >= 0; shift -= 8) {
        *(*to)++ = (char)(value >> shift);
    }
}

static inline void pack_waiter(struct world *w, struct lock_waiter *waiter) {
    char *bytes = keep(w, mem_alloc(512)), *to = bytes;

    *to++ = (char)0x9b;
    pack_str(&to, waiter->username);
    pack_int(&to, waiter->order);
    pack_int(&to, (waiter->queues ? 1 : 0) + (waiter->requests ? 2 : 0));
    pack_str(&to, waiter->request_id);
    pack_str(&to, waiter->message);
    pack_int(&to, waiter->ends_ms);
    pack_int(&to, SOME_MS);
    pack_int(&to, 0);
    pack_int(&to, SOME_MS);
    pack_int(&to, 0);
    pack_int(&to, waiter->since_ms);
    assert_true(lock_waiter_decode(waiter->user_id, waiter->client_id,
                                   (struct str){bytes, (size_t)(to - bytes)}, waiter));
}

static inline void pack_takeover(struct world *w, struct lock_takeover *t) {
    char *bytes = keep(w, mem_alloc(512)), *to = bytes;

    *to++ = (char)0x9b;
    pack_str(&to, t->request_id);
    pack_str(&to, t->user_id);
    pack_str(&to, t->username);
    pack_str(&to, t->client_id);
    pack_str(&to, t->reason);
    pack_int(&to, t->force_at_ms);
    pack_int(&to, t->urgent);
    pack_int(&to, SOME_MS);
    pack_int(&to, t->denied);
    pack_int(&to, 0);
    pack_str(&to, t->ended);
    assert_true(lock_takeover_decode((struct str){bytes, (size_t)(to - bytes)}, t));
}

static inline struct lock_event *emit(struct world *w, enum lock_event_kind kind,
                                      enum lock_cause cause, const char *actor) {
    assert_true(w->logged < LOG_MAX);
    struct lock_event *e = &w->log[w->logged++];
    w->lock.queue_length = (int64_t)w->waiter_count;
    *e = (struct lock_event){
        .kind = kind,
        .rev = w->rev + TICK,
        .prev = w->rev,
        .resource = str_of(R),
        .actor_session_id = str_of(actor),
        .cause = cause,
        .lock = w->lock,
        .queue_length = (int64_t)w->waiter_count,
        .median_ms = -1,
        .member_count = (int64_t)w->member_count,
    };
    w->rev = e->rev;
    return e;
}

static inline bool is_at(const struct person *p, struct str user_id, struct str client_id) {
    return str_eqz(user_id, p->name) && str_eqz(client_id, p->client);
}

static inline bool owns(const struct person *p) {
    const struct lock_view *l = &p->world->lock;
    return lock_is_owned(l) && is_at(p, l->user_id, l->client_id);
}

static inline struct person *person_at(struct world *w, struct str user_id, struct str client_id) {
    for (size_t i = 0; i < PEOPLE; i++) {
        if (is_at(&w->people[i], user_id, client_id)) {
            return &w->people[i];
        }
    }
    return NULL;
}

static inline struct person *owner(struct world *w) {
    return lock_is_owned(&w->lock) ? person_at(w, w->lock.user_id, w->lock.client_id) : NULL;
}

static inline struct lock_waiter *waiter_of(struct person *p) {
    struct world *w = p->world;
    for (size_t i = 0; i < w->waiter_count; i++) {
        if (is_at(p, w->waiters[i].user_id, w->waiters[i].client_id)) {
            return &w->waiters[i];
        }
    }
    return NULL;
}

static inline bool has_turn(const struct person *p) {
    const struct world *w = p->world;
    return w->has_turn && is_at(p, w->turn.user_id, w->turn.client_id);
}

static inline void remove_waiter(struct world *w, const struct lock_waiter *waiter) {
    size_t i = (size_t)(waiter - w->waiters);
    w->waiter_count--;
    memmove(w->waiters + i, w->waiters + i + 1, (w->waiter_count - i) * sizeof *waiter);
}

static inline void tell_place(struct world *w, enum lock_cause cause, const struct lock_waiter *of,
                              bool there, const char *actor) {
    struct lock_waiter waiter = *of;
    struct lock_event *e = emit(w, LOCK_EVENT_WAITER, cause, actor);
    e->waiter = waiter;
    e->there = there;
}

/* The lock is free, or for whoever comes next. */
static inline void clear_lock(struct world *w, enum lock_state state) {
    struct lock_takeover pending = w->lock.takeover;
    w->lock = (struct lock_view){.state = state};
    if (state == LOCK_STATE_RESERVED) {
        w->lock.takeover = pending;
    }
}

static inline void hold_lock(struct person *p) {
    struct world *w = p->world;
    clear_lock(w, LOCK_STATE_HELD);
    w->has_turn = false;
    w->lock.user_id = w->lock.username = str_of(p->name);
    w->lock.client_id = str_of(p->client);
    w->lock.token = w->rev + TICK;
    w->lock.since_ms = w->store.now_ms;
    w->lock.expires_ms = w->store.now_ms + w->policy.lock_ttl_ms;
    if (waiter_of(p) != NULL) {
        remove_waiter(w, waiter_of(p));
    }
}

static inline struct lock_ending end_grant(struct world *w, enum lock_cause reason, struct str by) {
    return (struct lock_ending){
        .present = true,
        .user_id = w->lock.user_id,
        .username = w->lock.username,
        .client_id = w->lock.client_id,
        .token = w->lock.token,
        .reason = reason,
        .since_ms = w->lock.since_ms,
        .ended_ms = w->store.now_ms,
        .by = by,
    };
}

static inline void give_to_admin(struct world *w, enum lock_cause cause, const char *actor,
                                 const struct lock_ending *ending, const char *decision) {
    struct lock_takeover t = w->lock.takeover;
    t.ended = str_of(decision);
    pack_takeover(w, &t);
    hold_lock(person_at(w, t.user_id, t.client_id));
    struct lock_event *e =
        emit(w, LOCK_EVENT_LOCK,
             cause == LOCK_CAUSE_TRANSFERRED ? cause : LOCK_CAUSE_TAKEN_BY_ADMIN, actor);
    e->ended = *ending;
    e->takeover = t;
}

static inline struct lock_waiter *first_here(struct world *w) {
    for (size_t i = 0; i < w->waiter_count; i++) {
        if (person_at(w, w->waiters[i].user_id, w->waiters[i].client_id)->in) {
            return &w->waiters[i];
        }
    }
    return NULL;
}

/* The next one has it: a pending takeover, the first who waits and is here, else nobody. */
static inline void pass_on(struct world *w, enum lock_cause cause, const char *actor,
                           const struct lock_ending *ending, const char *decision) {
    struct lock_waiter *first = first_here(w);
    w->has_turn = false;
    if (w->lock.takeover.present) {
        give_to_admin(w, cause, actor, ending, decision);
        return;
    }
    clear_lock(w, first != NULL ? LOCK_STATE_RESERVED : LOCK_STATE_FREE);
    if (first != NULL) {
        w->turn = *first;
        w->has_turn = true;
        remove_waiter(w, first);
        w->lock.user_id = w->turn.user_id;
        w->lock.username = w->turn.username;
        w->lock.client_id = w->turn.client_id;
        w->lock.reserved_until_ms = w->store.now_ms + SOME_MS;
    }
    emit(w, LOCK_EVENT_LOCK, cause, actor)->ended = *ending;
}

static const struct lock_ending no_ending;

static inline void do_end(struct world *w, enum lock_cause reason, const char *actor) {
    struct lock_ending ending = end_grant(w, reason, (struct str){"", 0});
    pass_on(w, reason, actor, &ending,
            reason == LOCK_CAUSE_RELEASED ? "HOLDER_RELEASED" : "HOLDER_GONE");
}

/* The last, and for nothing yet. */
static inline struct lock_waiter *new_waiter(struct person *p) {
    struct world *w = p->world;
    struct lock_waiter *waiter = &w->waiters[w->waiter_count++];
    *waiter = (struct lock_waiter){.user_id = str_of(p->name),
                                   .username = str_of(p->name),
                                   .client_id = str_of(p->client),
                                   .request_id = {"", 0},
                                   .message = {"", 0},
                                   .order = w->rev + TICK,
                                   .since_ms = w->store.now_ms};
    return waiter;
}

/* Granted, told where it stands, or nothing. */
static inline void do_acquire(struct person *p) {
    struct world *w = p->world;
    struct lock_waiter *mine = waiter_of(p);
    if (w->lock.state == LOCK_STATE_FREE || has_turn(p)) {
        enum lock_cause cause = has_turn(p) ? LOCK_CAUSE_CLAIMED : LOCK_CAUSE_ACQUIRED;
        hold_lock(p);
        emit(w, LOCK_EVENT_LOCK, cause, p->session);
    } else if (!owns(p) && (mine == NULL || !mine->queues)) {
        mine = mine != NULL ? mine : new_waiter(p);
        mine->queues = true;
        pack_waiter(w, mine);
        tell_place(w, LOCK_CAUSE_QUEUED, mine, true, p->session);
    }
}

static inline const char *do_request(struct person *p, const char *message) {
    struct world *w = p->world;
    struct lock_waiter *mine = waiter_of(p);
    char *id = keep(w, mem_alloc(16));
    snprintf(id, 16, "request-%u", ++w->requests);
    mine = mine != NULL ? mine : new_waiter(p);
    mine->requests = true;
    mine->request_id = str_of(id);
    mine->message = str_of(message);
    mine->ends_ms = w->store.now_ms + SOME_MS;
    pack_waiter(w, mine);
    tell_place(w, LOCK_CAUSE_REQUESTED, mine, true, p->session);
    return id;
}

/* One half of a place ends: its request (requests), or the waiting. */
static inline void do_drop_place(struct person *p, bool requests, enum lock_cause cause,
                                 const char *actor) {
    struct world *w = p->world;
    struct lock_waiter *mine = waiter_of(p), told = *mine;
    if (!mine->queues || !mine->requests) {
        remove_waiter(w, mine);
        tell_place(w, cause, &told, false, actor);
        return;
    }
    mine->requests = !requests;
    mine->queues = requests;
    if (requests) {
        mine->request_id = mine->message = (struct str){"", 0};
        mine->ends_ms = 0;
        told.requests = false;
        pack_waiter(w, &told);
    }
    pack_waiter(w, mine);
    tell_place(w, cause, requests ? &told : mine, true, actor);
}

static inline void do_approve(struct person *p, const char *actor) {
    struct world *w = p->world;
    struct lock_waiter mine = *waiter_of(p);
    struct lock_ending ending = end_grant(w, LOCK_CAUSE_TRANSFERRED, mine.username);
    mine.order = w->rev - 9000000;
    mine.queues = false;
    mine.ends_ms = 0;
    pack_waiter(w, &mine);
    remove_waiter(w, waiter_of(p));
    memmove(w->waiters + 1, w->waiters, w->waiter_count++ * sizeof mine);
    w->waiters[0] = mine;
    if (w->lock.takeover.present) {
        tell_place(w, LOCK_CAUSE_APPROVED, &mine, true, actor);
    }
    pass_on(w, LOCK_CAUSE_TRANSFERRED, actor, &ending, "HOLDER_RELEASED");
}

/* The one whose turn it is does not take it. */
static inline void do_decline(struct world *w, enum lock_cause cause, const char *actor) {
    struct lock_waiter turn = w->turn;
    w->has_turn = false;
    tell_place(w, cause, &turn, false, actor);
    pass_on(w, LOCK_CAUSE_RESERVATION_EXPIRED, actor, &no_ending, NULL);
}

static inline void do_renew(struct world *w) {
    w->store.now_ms += 10;
    w->lock.expires_ms = w->store.now_ms + w->policy.lock_ttl_ms;
    emit(w, LOCK_EVENT_LOCK, LOCK_CAUSE_RENEWED, owner(w)->session);
}

static inline void do_ask_takeover(struct person *p, const char *reason) {
    struct world *w = p->world;
    char *id = keep(w, mem_alloc(16));
    snprintf(id, 16, "takeover-%u", ++w->requests);
    w->lock.takeover = (struct lock_takeover){.request_id = str_of(id),
                                              .user_id = str_of(p->name),
                                              .username = str_of(p->name),
                                              .client_id = str_of(p->client),
                                              .reason = str_of(reason),
                                              .force_at_ms = w->store.now_ms + SOME_MS};
    pack_takeover(w, &w->lock.takeover);
    struct lock_event *e = emit(w, LOCK_EVENT_TAKEOVER, LOCK_CAUSE_REQUESTED, p->session);
    e->takeover = w->lock.takeover;
    e->token = w->lock.token;
}

static inline void do_deny_takeover(struct world *w, const char *actor) {
    w->lock.takeover.denied = true;
    pack_takeover(w, &w->lock.takeover);
    emit(w, LOCK_EVENT_TAKEOVER, LOCK_CAUSE_DENIED, actor)->takeover = w->lock.takeover;
}

static inline void do_cancel_takeover(struct world *w, const char *outcome, const char *actor) {
    struct lock_takeover t = w->lock.takeover;
    w->lock.takeover = (struct lock_takeover){0};
    t.ended = str_of(outcome);
    pack_takeover(w, &t);
    emit(w, LOCK_EVENT_TAKEOVER, LOCK_CAUSE_CANCELLED, actor)->takeover = t;
}

static inline void do_force_takeover(struct world *w) {
    struct lock_ending ending = end_grant(w, LOCK_CAUSE_TAKEN_BY_ADMIN, w->lock.takeover.username);
    pass_on(w, LOCK_CAUSE_TAKEN_BY_ADMIN, "", &ending, "TIMED_OUT");
}

static inline void do_enter(struct person *p) {
    struct world *w = p->world;
    struct lock_waiter *mine = waiter_of(p);
    struct lock_member *m = &w->members[w->member_count++];
    p->in = true;
    *m = (struct lock_member){.user_id = str_of(p->name),
                              .username = str_of(p->name),
                              .client_id = str_of(p->client),
                              .session_id = str_of(p->session),
                              .joined_ms = w->store.now_ms};
    emit(w, LOCK_EVENT_JOIN, LOCK_CAUSE_NONE, p->session)->member = *m;
    if (mine != NULL && p->absent) {
        tell_place(w, LOCK_CAUSE_BACK, mine, true, p->session);
    }
    p->absent = false;
    if (w->lock.state == LOCK_STATE_FREE && first_here(w) != NULL) {
        pass_on(w, LOCK_CAUSE_RESERVED, p->session, &no_ending, NULL);
    }
}

static inline void do_resume(struct person *p) {
    struct world *w = p->world;
    w->lock.state = LOCK_STATE_HELD;
    w->lock.grace_until_ms = 0;
    w->lock.prompt = false;
    w->lock.expires_ms = w->store.now_ms + w->policy.lock_ttl_ms;
    emit(w, LOCK_EVENT_LOCK, LOCK_CAUSE_RESUMED, p->session);
}

/* on_purpose: its lock and its place end with it; else there is grace. */
static inline void do_depart(struct person *p, bool on_purpose) {
    struct world *w = p->world;
    struct lock_waiter *mine = waiter_of(p);
    size_t i = 0;
    p->in = false;
    if (w->lock.takeover.present &&
        is_at(p, w->lock.takeover.user_id, w->lock.takeover.client_id)) {
        do_cancel_takeover(w, "ADMIN_GONE", p->session);
    }
    if (has_turn(p) && on_purpose) {
        do_decline(w, LOCK_CAUSE_LEFT, p->session);
    } else if (mine != NULL && on_purpose) {
        struct lock_waiter gone = *mine;
        remove_waiter(w, mine);
        tell_place(w, LOCK_CAUSE_LEFT, &gone, false, p->session);
    } else if (mine != NULL) {
        p->absent = true;
        tell_place(w, LOCK_CAUSE_ABSENT, mine, true, p->session);
    }
    if (owns(p) && on_purpose) {
        do_end(w, LOCK_CAUSE_RELEASED, p->session);
    } else if (owns(p) && w->lock.state == LOCK_STATE_HELD && w->lock.takeover.present) {
        do_end(w, LOCK_CAUSE_DISCONNECT, p->session);
    } else if (owns(p) && w->lock.state == LOCK_STATE_HELD) {
        w->lock.state = LOCK_STATE_GRACE;
        w->lock.grace_until_ms = w->store.now_ms + SOME_MS;
        w->lock.prompt = w->policy.disconnect == CONFIG_DISCONNECT_PROMPT;
        emit(w, LOCK_EVENT_LOCK, LOCK_CAUSE_GRACE_STARTED, p->session);
    }
    while (!is_at(p, w->members[i].user_id, w->members[i].client_id)) {
        i++;
    }
    struct lock_member gone = w->members[i];
    w->member_count--;
    memmove(w->members + i, w->members + i + 1, (w->member_count - i) * sizeof gone);
    emit(w, LOCK_EVENT_LEAVE, LOCK_CAUSE_NONE, p->session)->member = gone;
}

static inline void take_picture(const struct world *w, struct picture *out) {
    memcpy(out->members, w->members, sizeof w->members);
    memcpy(out->waiters, w->waiters, sizeof w->waiters);
    if (w->has_turn) {
        out->waiters[w->waiter_count] = w->turn;
    }
    out->s = (struct lock_snapshot){
        .rev = w->rev,
        .before_rev = w->rev,
        .lock = w->lock,
        .members = out->members,
        .member_listed = w->member_count,
        .member_count = (int64_t)w->member_count,
        .waiters = out->waiters,
        .waiter_count = w->waiter_count + (w->has_turn ? 1 : 0),
        .median_ms = -1,
    };
}

#endif
