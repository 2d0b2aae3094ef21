/* The audit of what scripts changed. */
#include "audit_events.h"

#include <string.h>

#include "audit_record.h"
#include "registry.h"
#include "state.h"
#include "wslock/base/buf.h"
#include "wslock/metrics/metrics.h"

#define ORIGIN_ROLES 16

/* The action for a grant, or for the end of one. False: it is not recorded. */
static bool lock_action(enum lock_cause cause, enum audit_action *out) {
    static const struct {
        enum lock_cause cause;
        enum audit_action action;
    } table[] = {
        {LOCK_CAUSE_ACQUIRED, AUDIT_LOCK_ACQUIRED},
        {LOCK_CAUSE_RELEASED, AUDIT_LOCK_RELEASED},
        {LOCK_CAUSE_DISCONNECT, AUDIT_LOCK_RELEASED},
        {LOCK_CAUSE_SESSION_TERMINATED, AUDIT_LOCK_RELEASED},
        {LOCK_CAUSE_STORE_LOST, AUDIT_LOCK_RELEASED},
        {LOCK_CAUSE_EXPIRED, AUDIT_LOCK_EXPIRED},
        {LOCK_CAUSE_GRACE_STARTED, AUDIT_LOCK_GRACE_STARTED},
        {LOCK_CAUSE_GRACE_PERIOD_EXPIRED, AUDIT_LOCK_GRACE_EXPIRED},
        {LOCK_CAUSE_RESUMED, AUDIT_LOCK_RESUMED},
        {LOCK_CAUSE_MOVED, AUDIT_LOCK_MOVED},
        {LOCK_CAUSE_RECOVERED, AUDIT_LOCK_RECOVERED},
        {LOCK_CAUSE_CLAIMED, AUDIT_LOCK_CLAIMED},
        {LOCK_CAUSE_TRANSFERRED, AUDIT_LOCK_REQUEST_APPROVED},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].cause == cause) {
            *out = table[i].action;
            return true;
        }
    }
    return false;
}

static void fill_ending(const struct gateway *g, struct audit_record *r,
                        const struct lock_ending *end) {
    r->held_ms = end->ended_ms > end->since_ms ? end->ended_ms - end->since_ms : 0;
    r->previous_dirty = end->dirty;
    r->lock_request_id = end->request_id;
    r->revision = audit_record_free_text(g, end->revision);
}

static bool fill_lock(const struct gateway *g, struct audit_record *r, const struct lock_event *e) {
    const struct lock_view *now = &e->lock;
    const struct lock_ending *end = &e->ended;
    if (!lock_action(e->cause, &r->action) || (!lock_is_owned(now) && !end->present)) {
        return false; /* e.g. a free lock, confirmed after an outage */
    }
    if (lock_is_owned(now)) {
        r->user = (struct audit_person){now->user_id, now->username};
        r->client_id = now->client_id;
        r->fence = now->token;
    }
    if (end->present) {
        fill_ending(g, r, end);
        if (lock_is_owned(now)) {
            r->previous_holder = (struct audit_person){end->user_id, end->username};
        }
    }
    if (!lock_is_owned(now)) {
        r->user = (struct audit_person){end->user_id, end->username};
        r->client_id = end->client_id;
        r->fence = end->token;
        r->reason = str_of(lock_cause_text(end->reason));
    }
    return true;
}

static void fill_member(struct audit_record *r, const struct lock_event *e) {
    r->action = e->kind == LOCK_EVENT_JOIN ? AUDIT_RESOURCE_JOINED : AUDIT_RESOURCE_LEFT;
    r->user = (struct audit_person){e->member.user_id, e->member.username};
    r->session_id = e->member.session_id;
    r->client_id = e->member.client_id;
}

/* An approval has no record here: the event of the lock has it. */
static bool place_action(const struct lock_event *e, enum audit_action *out) {
    static const struct {
        enum lock_cause cause;
        enum audit_action action;
    } table[] = {
        {LOCK_CAUSE_QUEUED, AUDIT_LOCK_QUEUED},
        {LOCK_CAUSE_REQUESTED, AUDIT_LOCK_REQUESTED},
        {LOCK_CAUSE_DENIED, AUDIT_LOCK_REQUEST_DENIED},
        {LOCK_CAUSE_TIMEOUT, AUDIT_LOCK_REQUEST_TIMED_OUT},
        {LOCK_CAUSE_CANCELLED, AUDIT_QUEUE_LEFT},
        {LOCK_CAUSE_LEFT, AUDIT_QUEUE_LEFT},
        {LOCK_CAUSE_GONE, AUDIT_QUEUE_LEFT},
        {LOCK_CAUSE_CLAIM_EXPIRED, AUDIT_RESERVATION_EXPIRED},
        {LOCK_CAUSE_ADMIN_RELEASED, AUDIT_RESERVATION_EXPIRED},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].cause == e->cause) {
            *out = table[i].action;
            return true;
        }
    }
    return false;
}

/* The record's user is the waiter, also if the holder answered. */
static bool fill_place(const struct gateway *g, struct audit_record *r,
                       const struct lock_event *e) {
    const struct lock_waiter *w = &e->waiter;
    if (!place_action(e, &r->action)) {
        return false;
    }
    r->user = (struct audit_person){w->user_id, w->username};
    r->client_id = w->client_id;
    r->lock_request_id = w->request_id;
    if (e->cause != LOCK_CAUSE_QUEUED && e->cause != LOCK_CAUSE_REQUESTED) {
        r->reason = str_of(lock_cause_text(e->cause));
    } else if (e->cause == LOCK_CAUSE_REQUESTED) {
        r->detail = audit_record_free_text(g, w->message);
    }
    return true;
}

static void fill_admin(const struct gateway *g, struct audit_record *r,
                       const struct lock_takeover *t) {
    r->admin = (struct audit_person){t->user_id, t->username};
    r->lock_request_id = t->request_id;
    r->reason = audit_record_free_text(g, t->reason);
}

static void fill_takeover(const struct gateway *g, struct audit_record *r,
                          const struct lock_event *e) {
    fill_admin(g, r, &e->takeover);
    r->fence = e->token;
    if (e->cause == LOCK_CAUSE_REQUESTED) {
        r->action = AUDIT_LOCK_TAKEOVER_REQUESTED;
    } else if (e->cause == LOCK_CAUSE_DENIED) {
        r->action = AUDIT_LOCK_TAKEOVER;
        r->failure = true;
        r->decision = str_of("DENIED");
        r->previous_holder = r->user; /* the one who denied still holds the lock */
    } else {
        r->action = AUDIT_TAKEOVER_CANCELLED;
        r->detail = e->takeover.ended;
    }
}

/* As a label of a metric, which needs a closed set. */
static const char *decision_text(struct str decision) {
    static const char *const texts[] = {"IMMEDIATE", "APPROVED",    "FORCED",         "TIMED_OUT",
                                        "URGENT",    "HOLDER_GONE", "HOLDER_RELEASED"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (str_eqz(decision, texts[i])) {
            return texts[i];
        }
    }
    return "other";
}

static void count_takeover(const struct gateway *g, const struct lock_event *e,
                           const char *outcome) {
    struct str name, rest = e->resource;
    const struct config_resource_type *type =
        str_cut(&rest, ':', &name) ? config_types_find(g->types, name) : NULL;
    metrics_add(METRIC_TAKEOVERS, 1, outcome, type != NULL ? type->policy->type : "other");
}

static void put(struct gateway *g, const struct audit_record *record, const struct lock_event *e,
                bool recovered) {
    struct audit_record r = *record;
    char event_id[32];
    memcpy(event_id + buf_i64(event_id, e->rev), "-0", sizeof "-0");
    r.resource_id = e->resource;
    r.rev = e->rev;
    r.event_id = str_of(event_id);
    r.recovered = recovered;
    audit_write(g->parts.audit, &r);
}

/* Whether the record's user is the one who acted. Often the other party did: the holder answers or
 * releases, and the record is about the asker's request or the administrator's lock. */
static bool by_its_user(const struct audit_record *r, const struct session *s,
                        const struct lock_event *e) {
    if (s != NULL && s->identity != NULL) {
        return str_eqz(r->user.id, s->identity->user_id);
    }
    if (e->kind == LOCK_EVENT_WAITER) {
        return e->cause != LOCK_CAUSE_DENIED;
    }
    return e->kind != LOCK_EVENT_LOCK || !e->takeover.present ||
           str_eqz(e->takeover.ended, "IMMEDIATE") || str_eqz(e->takeover.ended, "URGENT");
}

/* Connection, roles and token of the one who acted, if that is the record's user. */
static void add_actor(struct audit_record *r, const struct session *s, const struct lock_event *e) {
    const struct audit_person user = r->user;
    const struct str client = r->client_id;
    if (!str_eqz(e->actor_session_id, s != NULL ? s->id : "")) {
        s = NULL;
    }
    if (!by_its_user(r, s, e)) {
        return;
    }
    if (s != NULL) {
        audit_record_add_session(r, s);
    } else if (r->session_id.len == 0) {
        r->session_id = e->actor_session_id;
    }
    r->user = user;
    if (client.p != NULL) {
        r->client_id = client;
    }
}

/* Where the administrator asked from, if somebody else caused the event. roles: room for what the
 * record refers to. */
static void add_origin(struct audit_record *r, struct str origin, const char *roles[ORIGIN_ROLES]) {
    struct str role;
    if (!str_cut(&origin, '\0', &r->session_id) || !str_cut(&origin, '\0', &r->address)) {
        return;
    }
    r->roles = roles;
    for (r->role_count = 0; r->role_count < ORIGIN_ROLES && str_cut(&origin, '\0', &role);) {
        roles[r->role_count++] = role.p; /* the NUL is behind it */
    }
}

/* A lock that moved by a takeover: both parties, and the decision. */
static void write_moved(struct gateway *g, const struct session *s, const struct lock_event *e,
                        bool recovered) {
    struct audit_record r = audit_record_blank(AUDIT_LOCK_TAKEOVER, false);
    const struct lock_ending *end = &e->ended;
    const char *roles[ORIGIN_ROLES];
    r.user = (struct audit_person){e->lock.user_id, e->lock.username};
    r.client_id = e->lock.client_id;
    r.fence = e->lock.token;
    add_actor(&r, s, e);
    if (r.address.len == 0) {
        add_origin(&r, e->takeover.origin, roles);
    }
    if (end->present) {
        fill_ending(g, &r, end);
        r.previous_holder = (struct audit_person){end->user_id, end->username};
    }
    fill_admin(g, &r, &e->takeover);
    r.decision = e->takeover.ended;
    if (str_eqz(r.decision, "DENIED")) {
        r.decision = str_of("FORCED");
        r.answer = str_of("DENIED");
    }
    if (!recovered) {
        count_takeover(g, e, decision_text(r.decision));
    }
    put(g, &r, e, recovered);
}

/* The holder approved a request, but the lock went to an administrator with an open takeover. */
static void write_approved(struct gateway *g, const struct session *s, const struct lock_event *e,
                           bool recovered) {
    struct audit_record r = audit_record_blank(AUDIT_LOCK_REQUEST_APPROVED, false);
    const struct lock_ending *end = &e->ended;
    r.user = (struct audit_person){end->user_id, end->username};
    r.client_id = end->client_id;
    r.fence = end->token;
    r.reason = str_of(lock_cause_text(end->reason));
    add_actor(&r, s, e);
    fill_ending(g, &r, end);
    put(g, &r, e, recovered);
}

static void write_reserved(struct gateway *g, const struct lock_event *e, bool recovered) {
    struct audit_record r = audit_record_blank(AUDIT_LOCK_RESERVED, false);
    r.user = (struct audit_person){e->lock.user_id, e->lock.username};
    r.client_id = e->lock.client_id;
    put(g, &r, e, recovered);
}

static void write_operation(struct gateway *g, const struct lock_event *e, bool recovered) {
    bool takeover = e->cause == LOCK_CAUSE_TAKEN_BY_ADMIN;
    struct audit_record r =
        audit_record_blank(takeover ? AUDIT_LOCK_TAKEOVER : AUDIT_LOCK_ADMIN_RELEASED, false);
    const struct lock_ending *end = &e->ended;
    char detail[AUDIT_OPERATOR_DETAIL];
    r.user = (struct audit_person){e->operation.user_id, e->operation.username};
    if (end->present) {
        fill_ending(g, &r, end);
        r.previous_holder = (struct audit_person){end->user_id, end->username};
        r.client_id = end->client_id;
        r.fence = end->token;
    }
    audit_record_add_operator(g, &r, &e->operation, detail);
    if (takeover) {
        r.decision = str_of("IMMEDIATE");
        if (!recovered) {
            count_takeover(g, e, "IMMEDIATE");
        }
    }
    put(g, &r, e, recovered);
}

/* `admin` is who wants the lock; the user is who asked, denied or cancelled. */
static void write_takeover(struct gateway *g, const struct session *s, const struct lock_event *e,
                           bool recovered) {
    struct audit_record r = audit_record_blank(AUDIT_LOCK_TAKEOVER_REQUESTED, false);
    if (s != NULL && str_eqz(e->actor_session_id, s->id)) {
        audit_record_add_session(&r, s);
    } else {
        r.session_id = e->actor_session_id;
    }
    fill_takeover(g, &r, e);
    if (e->cause == LOCK_CAUSE_DENIED && !recovered) {
        count_takeover(g, e, "DENIED");
    }
    put(g, &r, e, recovered);
}

static void write_lock(struct gateway *g, const struct session *s, const struct lock_event *e,
                       bool recovered) {
    struct audit_record r = audit_record_blank(AUDIT_LOCK_ACQUIRED, false);
    if (e->takeover.present) {
        write_moved(g, s, e, recovered);
        if (e->ended.request_id.len > 0 && !str_eq(e->ended.request_id, e->takeover.request_id)) {
            write_approved(g, s, e, recovered);
        }
        return;
    }
    if (fill_lock(g, &r, e)) {
        add_actor(&r, s, e);
        put(g, &r, e, recovered);
    }
    if (e->lock.state == LOCK_STATE_RESERVED && e->cause != LOCK_CAUSE_RECOVERED) {
        write_reserved(g, e, recovered);
    }
}

static void write_event(struct gateway *g, const struct session *s, const struct lock_event *e,
                        bool recovered) {
    struct audit_record r = audit_record_blank(AUDIT_LOCK_ACQUIRED, false);
    switch (e->kind) {
    case LOCK_EVENT_LOCK:
        write_lock(g, s, e, recovered);
        return;
    case LOCK_EVENT_TAKEOVER:
        if (e->cause != LOCK_CAUSE_RECOVERED) {
            write_takeover(g, s, e, recovered);
        }
        return;
    case LOCK_EVENT_JOIN:
    case LOCK_EVENT_LEAVE:
        fill_member(&r, e);
        break;
    case LOCK_EVENT_WAITER:
        if (!fill_place(g, &r, e)) {
            return;
        }
        break;
    case LOCK_EVENT_OPERATION:
        write_operation(g, e, recovered);
        return;
    }
    add_actor(&r, s, e);
    put(g, &r, e, recovered);
}

void session_audit_event(struct gateway *g, const struct session *s, const struct lock_event *e) {
    write_event(g, s, e, false);
}

void session_audit_events(struct gateway *g, const struct session *s,
                          const struct lock_result *result) {
    for (size_t i = 0; i < result->event_count; i++) {
        session_audit_event(g, s, &result->events[i]);
    }
}

/* Restored by a report: it joined earlier. */
static bool is_restored_member(const struct lock_event *e) {
    return e->kind == LOCK_EVENT_JOIN && e->actor_session_id.len == 0;
}

void session_audit_reported(struct gateway *g, const struct lock_result *result) {
    for (size_t i = 0; i < result->event_count; i++) {
        if (!is_restored_member(&result->events[i])) {
            session_audit_event(g, NULL, &result->events[i]);
        }
    }
}

void session_audit_recovered(struct gateway *g, const struct lock_event *e) {
    if (!is_restored_member(e)) {
        write_event(g, map_get(g->sessions, e->actor_session_id), e, true);
    }
}
