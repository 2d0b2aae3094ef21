/*
 * What happened, for the audit. A change is recorded from the events of the reply that made it (by
 * the sweeper's reply where nobody asked), once, by the instance that got the reply.
 */
#include "private.h"

#include <stdio.h>

#include "wslock/base/clock.h"
#include "wslock/metrics/metrics.h"

#define OPERATOR_DETAIL 32

static struct audit_record blank(enum audit_action action, bool failure) {
    struct audit_record r = {
        .action = action, .failure = failure, .held_ms = -1, .previous_dirty = -1};
    return r;
}

static void add_identity(struct audit_record *r, const struct auth_identity *identity) {
    r->user = (struct audit_person){str_of(identity->user_id), str_of(identity->username)};
    r->roles = (const char *const *)identity->roles;
    r->role_count = identity->role_count;
    r->token_id = str_of(identity->token_id);
    r->issuer = str_of(identity->issuer);
}

static void add_session(struct audit_record *r, const struct session *s) {
    r->session_id = str_of(s->id);
    r->address = str_of(s->address);
    r->user_agent = str_of(s->user_agent);
    if (s->client_id[0] != '\0')
        r->client_id = str_of(s->client_id);
    if (s->identity)
        add_identity(r, s->identity);
}

/* What became of a grant that ended, or of a lock that was granted; false: that is not recorded. */
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
    if (!g->parts.config->audit.omit_free_text)
        r->revision = end->revision;
}

static bool fill_lock(const struct gateway *g, struct audit_record *r, const struct lock_event *e) {
    const struct lock_view *now = &e->lock;
    const struct lock_ending *end = &e->ended;
    if (!lock_action(e->cause, &r->action) || (!lock_is_owned(now) && !end->present))
        return false; /* a free lock confirmed after an outage, say */
    if (lock_is_owned(now)) {
        r->user = (struct audit_person){now->user_id, now->username};
        r->client_id = now->client_id;
        r->fence = now->token;
    }
    if (end->present) {
        fill_ending(g, r, end);
        if (lock_is_owned(now))
            r->previous_holder = (struct audit_person){end->user_id, end->username};
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

/* Of one that was approved the lock's event tells. */
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

/* Who waits is the user of the record, also where the holder answered. */
static bool fill_place(const struct gateway *g, struct audit_record *r,
                       const struct lock_event *e) {
    const struct lock_waiter *w = &e->waiter;
    if (!place_action(e, &r->action))
        return false;
    r->user = (struct audit_person){w->user_id, w->username};
    r->client_id = w->client_id;
    r->lock_request_id = w->request_id;
    if (e->cause != LOCK_CAUSE_QUEUED && e->cause != LOCK_CAUSE_REQUESTED)
        r->reason = str_of(lock_cause_text(e->cause));
    else if (e->cause == LOCK_CAUSE_REQUESTED && !g->parts.config->audit.omit_free_text)
        r->detail = w->message;
    return true;
}

static void fill_admin(const struct gateway *g, struct audit_record *r,
                       const struct lock_takeover *t) {
    r->admin = (struct audit_person){t->user_id, t->username};
    r->lock_request_id = t->request_id;
    if (!g->parts.config->audit.omit_free_text)
        r->reason = t->reason;
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
        r->previous_holder = r->user; /* who said no has it still */
    } else {
        r->action = AUDIT_TAKEOVER_CANCELLED;
        r->detail = e->takeover.ended;
    }
}

/* As a label: of a closed set. */
static const char *decision_text(struct str decision) {
    static const char *const texts[] = {"IMMEDIATE", "APPROVED",    "DENIED",         "TIMED_OUT",
                                        "URGENT",    "HOLDER_GONE", "HOLDER_RELEASED"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (str_eqz(decision, texts[i]))
            return texts[i];
    return "other";
}

static void put(struct gateway *g, const struct audit_record *record, const struct lock_event *e,
                bool recovered) {
    struct audit_record r = *record;
    char event_id[32];
    snprintf(event_id, sizeof event_id, "%lld-0", (long long)e->rev);
    r.resource_id = e->resource;
    r.rev = e->rev;
    r.event_id = str_of(event_id);
    r.recovered = recovered;
    audit_write(g->parts.audit, &r);
}

/* Whether the user of the record is the one who did it. Often it is the other party: the holder
 * answers, or lets go, and it is the asker's request, or the administrator's lock. */
static bool by_its_user(const struct audit_record *r, const struct session *s,
                        const struct lock_event *e) {
    if (s && s->identity)
        return str_eqz(r->user.id, s->identity->user_id);
    if (e->kind == LOCK_EVENT_WAITER)
        return e->cause != LOCK_CAUSE_DENIED;
    return e->kind != LOCK_EVENT_LOCK || !e->takeover.present ||
           str_eqz(e->takeover.ended, "IMMEDIATE") || str_eqz(e->takeover.ended, "URGENT");
}

/* The connection, roles and token of whoever did it, where that is the user of the record. */
static void add_actor(struct audit_record *r, const struct session *s, const struct lock_event *e) {
    const struct audit_person user = r->user;
    const struct str client = r->client_id;
    if (!str_eqz(e->actor_session_id, s ? s->id : ""))
        s = NULL;
    if (!by_its_user(r, s, e))
        return;
    if (s)
        add_session(r, s);
    else if (r->session_id.len == 0)
        r->session_id = e->actor_session_id;
    r->user = user;
    if (client.p)
        r->client_id = client;
}

/* A lock that moved by a takeover: both parties, and how it came to it. */
static void write_moved(struct gateway *g, const struct session *s, const struct lock_event *e,
                        bool recovered) {
    struct audit_record r = blank(AUDIT_LOCK_TAKEOVER, false);
    const struct lock_ending *end = &e->ended;
    r.user = (struct audit_person){e->lock.user_id, e->lock.username};
    r.client_id = e->lock.client_id;
    r.fence = e->lock.token;
    add_actor(&r, s, e);
    if (end->present) {
        fill_ending(g, &r, end);
        r.previous_holder = (struct audit_person){end->user_id, end->username};
    }
    fill_admin(g, &r, &e->takeover);
    r.decision = e->takeover.ended;
    if (!recovered)
        metrics_add(METRIC_TAKEOVERS, 1, decision_text(e->takeover.ended), NULL);
    put(g, &r, e, recovered);
}

/* The lock was given up for a request, but an administrator who waited came first. */
static void write_approved(struct gateway *g, const struct session *s, const struct lock_event *e,
                           bool recovered) {
    struct audit_record r = blank(AUDIT_LOCK_REQUEST_APPROVED, false);
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
    struct audit_record r = blank(AUDIT_LOCK_RESERVED, false);
    r.user = (struct audit_person){e->lock.user_id, e->lock.username};
    r.client_id = e->lock.client_id;
    put(g, &r, e, recovered);
}

/* Who it was and from where. detail: at least 32 bytes, borrowed by the record. */
static void fill_operator(const struct gateway *g, struct audit_record *r,
                          const struct lock_operation *o, char *detail) {
    r->admin = (struct audit_person){o->actor, {NULL, 0}};
    r->address = o->address;
    if (o->uid >= 0) {
        snprintf(detail, OPERATOR_DETAIL, "uid %lld", (long long)o->uid);
        r->detail = str_of(detail);
    }
    if (!g->parts.config->audit.omit_free_text)
        r->reason = o->reason;
}

static void write_operation(struct gateway *g, const struct lock_event *e, bool recovered) {
    bool takeover = e->cause == LOCK_CAUSE_TAKEN_BY_ADMIN;
    struct audit_record r =
        blank(takeover ? AUDIT_LOCK_TAKEOVER : AUDIT_LOCK_ADMIN_RELEASED, false);
    const struct lock_ending *end = &e->ended;
    char detail[OPERATOR_DETAIL];
    r.user = (struct audit_person){e->operation.user_id, e->operation.username};
    if (end->present) {
        fill_ending(g, &r, end);
        r.previous_holder = (struct audit_person){end->user_id, end->username};
        r.client_id = end->client_id;
        r.fence = end->token;
    }
    fill_operator(g, &r, &e->operation, detail);
    if (takeover) {
        r.decision = str_of("IMMEDIATE");
        if (!recovered)
            metrics_add(METRIC_TAKEOVERS, 1, "IMMEDIATE", NULL);
    }
    put(g, &r, e, recovered);
}

/* Who wants the lock stands as `admin`; the user is whoever asked, refused or called it off. */
static void write_takeover(struct gateway *g, const struct session *s, const struct lock_event *e,
                           bool recovered) {
    struct audit_record r = blank(AUDIT_LOCK_TAKEOVER_REQUESTED, false);
    if (s && str_eqz(e->actor_session_id, s->id))
        add_session(&r, s);
    else
        r.session_id = e->actor_session_id;
    fill_takeover(g, &r, e);
    put(g, &r, e, recovered);
}

static void write_lock(struct gateway *g, const struct session *s, const struct lock_event *e,
                       bool recovered) {
    struct audit_record r = blank(AUDIT_LOCK_ACQUIRED, false);
    if (e->takeover.present) {
        write_moved(g, s, e, recovered);
        if (e->ended.request_id.len > 0 && !str_eq(e->ended.request_id, e->takeover.request_id))
            write_approved(g, s, e, recovered);
        return;
    }
    if (fill_lock(g, &r, e)) {
        add_actor(&r, s, e);
        put(g, &r, e, recovered);
    }
    if (e->lock.state == LOCK_STATE_RESERVED && e->cause != LOCK_CAUSE_RECOVERED)
        write_reserved(g, e, recovered);
}

static void write_event(struct gateway *g, const struct session *s, const struct lock_event *e,
                        bool recovered) {
    struct audit_record r = blank(AUDIT_LOCK_ACQUIRED, false);
    switch (e->kind) {
    case LOCK_EVENT_LOCK:
        write_lock(g, s, e, recovered);
        return;
    case LOCK_EVENT_TAKEOVER:
        if (e->cause != LOCK_CAUSE_RECOVERED)
            write_takeover(g, s, e, recovered);
        return;
    case LOCK_EVENT_JOIN:
    case LOCK_EVENT_LEAVE:
        fill_member(&r, e);
        break;
    case LOCK_EVENT_WAITER:
        if (!fill_place(g, &r, e))
            return;
        break;
    case LOCK_EVENT_OPERATION:
        write_operation(g, e, recovered);
        return;
    }
    add_actor(&r, s, e);
    put(g, &r, e, recovered);
}

void trail_event(struct gateway *g, const struct session *s, const struct lock_event *e) {
    write_event(g, s, e, false);
}

bool trail_is_restored(const struct lock_event *e) {
    return e->kind == LOCK_EVENT_JOIN && e->actor_session_id.len == 0;
}

void trail_recovered(struct gateway *g, const struct lock_event *e) {
    if (!trail_is_restored(e))
        write_event(g, map_get(g->sessions, e->actor_session_id), e, true);
}

void trail_events(struct gateway *g, const struct session *s, const struct lock_result *result) {
    for (size_t i = 0; i < result->event_count; i++)
        trail_event(g, s, &result->events[i]);
}

void trail_session(struct session *s, enum audit_action action, const char *reason) {
    struct audit_record r = blank(action, action == AUDIT_AUTH_FAILED);
    add_session(&r, s);
    r.reason = str_of(reason);
    /* A newer token may have brought another name in between. */
    if (s->identity && (action == AUDIT_SESSION_OPENED || action == AUDIT_SESSION_CLOSED))
        r.detail = str_of(s->identity->name_note);
    audit_write(s->gateway->parts.audit, &r);
}

void trail_terminated(struct session *s, const struct lock_operation *by) {
    struct audit_record r = blank(AUDIT_SESSION_TERMINATED, false);
    char detail[OPERATOR_DETAIL];
    add_session(&r, s);
    r.user_agent = (struct str){NULL, 0}; /* the address is the operator's */
    fill_operator(s->gateway, &r, by, detail);
    audit_write(s->gateway->parts.audit, &r);
}

bool trail_forbids_admin(const struct gateway *g) {
    return g->parts.config->audit.on_failure != CONFIG_ON_FAILURE_CONTINUE &&
           !audit_healthy(g->parts.audit);
}

bool trail_stops_all(const struct gateway *g) {
    return g->parts.config->audit.on_failure == CONFIG_ON_FAILURE_STOP_ALL &&
           !audit_healthy(g->parts.audit);
}

void trail_denied(struct membership *m, const char *reason, const char *ref,
                  const struct lock_view *lock) {
    struct audit_record r = blank(AUDIT_LOCK_DENIED, true);
    add_session(&r, m->session);
    r.resource_id = wire_resource_str(&m->resource);
    r.reason = str_of(reason);
    r.ref = str_of(ref);
    if (lock && lock->state != LOCK_STATE_FREE)
        r.previous_holder = (struct audit_person){lock->user_id, lock->username};
    audit_write(m->session->gateway->parts.audit, &r);
}

void trail_refused(struct membership *m, const char *reason) {
    struct audit_record r = blank(AUDIT_ACCESS_DENIED, true);
    add_session(&r, m->session);
    r.resource_id = wire_resource_str(&m->resource);
    r.reason = str_of(reason);
    audit_write(m->session->gateway->parts.audit, &r);
}

void trail_stale(struct session *s, const struct call *call, const char *reason) {
    struct audit_record r = blank(AUDIT_STALE_TOKEN_REJECTED, true);
    add_session(&r, s);
    r.resource_id = wire_resource_str(&call->resource);
    r.fence = call->token;
    r.reason = str_of(reason);
    audit_write(s->gateway->parts.audit, &r);
}

void trail_refused_user(const struct session *s, const struct auth_identity *identity,
                        const char *reason) {
    struct audit_record r = blank(AUDIT_ACCESS_DENIED, true);
    add_session(&r, s);
    add_identity(&r, identity);
    r.reason = str_of(reason);
    audit_write(s->gateway->parts.audit, &r);
}

void trail_gap(struct gateway *g, const char *detail) {
    struct audit_record r = blank(AUDIT_AUDIT_GAP, false);
    r.detail = str_of(detail);
    audit_write(g->parts.audit, &r);
}

void trail_simple(struct gateway *g, enum audit_action action, bool failure, const char *reason,
                  const char *detail) {
    struct audit_record r = blank(action, failure);
    r.reason = str_of(reason);
    r.detail = str_of(detail);
    audit_write(g->parts.audit, &r);
}
