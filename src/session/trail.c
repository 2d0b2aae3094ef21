/*
 * What happened, for the audit. A change is recorded from the events of the reply that made it (by
 * the sweeper's reply where nobody asked), once, by the instance that got the reply.
 */
#include "private.h"

#include <stdio.h>

#include "wslock/base/clock.h"

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

/* False: such a change is not recorded. */
static bool lock_action(enum lock_cause cause, enum audit_action *out) {
    switch (cause) {
    case LOCK_CAUSE_ACQUIRED:
        *out = AUDIT_LOCK_ACQUIRED;
        return true;
    case LOCK_CAUSE_RELEASED:
    case LOCK_CAUSE_DISCONNECT:
        *out = AUDIT_LOCK_RELEASED;
        return true;
    case LOCK_CAUSE_EXPIRED:
        *out = AUDIT_LOCK_EXPIRED;
        return true;
    case LOCK_CAUSE_GRACE_STARTED:
        *out = AUDIT_LOCK_GRACE_STARTED;
        return true;
    case LOCK_CAUSE_GRACE_PERIOD_EXPIRED:
        *out = AUDIT_LOCK_GRACE_EXPIRED;
        return true;
    case LOCK_CAUSE_RESUMED:
        *out = AUDIT_LOCK_RESUMED;
        return true;
    case LOCK_CAUSE_MOVED:
        *out = AUDIT_LOCK_MOVED;
        return true;
    case LOCK_CAUSE_RECOVERED:
        *out = AUDIT_LOCK_RECOVERED;
        return true;
    case LOCK_CAUSE_NONE:
    case LOCK_CAUSE_RENEWED:
    case LOCK_CAUSE_CLAIMED:
    case LOCK_CAUSE_TRANSFERRED:
    case LOCK_CAUSE_TAKEN_BY_ADMIN:
    case LOCK_CAUSE_RESERVED:
    case LOCK_CAUSE_RESERVATION_EXPIRED:
    case LOCK_CAUSE_ADMIN_RELEASED:
    case LOCK_CAUSE_SESSION_TERMINATED:
    case LOCK_CAUSE_STORE_LOST:
    case LOCK_CAUSE_STALE_TOKEN:
    case LOCK_CAUSE_NOT_HELD:
        break;
    }
    return false;
}

static bool fill_lock(const struct gateway *g, struct audit_record *r, const struct lock_event *e) {
    if (!lock_action(e->cause, &r->action))
        return false;
    const struct lock_view *now = &e->lock;
    const struct lock_ending *end = &e->ended;
    bool owned = now->state == LOCK_STATE_HELD || now->state == LOCK_STATE_GRACE;
    if (!owned && !end->present)
        return false; /* a free lock confirmed after an outage */
    if (owned) {
        r->user = (struct audit_person){now->user_id, now->username};
        r->client_id = now->client_id;
        r->fence = now->token;
    }
    if (end->present) {
        r->held_ms = end->ended_ms > end->since_ms ? end->ended_ms - end->since_ms : 0;
        r->previous_dirty = end->dirty;
        if (!g->parts.config->audit.omit_free_text)
            r->revision = end->revision;
        if (owned)
            r->previous_holder = (struct audit_person){end->user_id, end->username};
    }
    if (!owned) {
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

static void write_event(struct gateway *g, const struct session *s, const struct lock_event *e,
                        bool recovered) {
    struct audit_record r = blank(AUDIT_LOCK_ACQUIRED, false);
    r.recovered = recovered;
    char event_id[32];
    snprintf(event_id, sizeof event_id, "%lld-0", (long long)e->rev);
    if (s && str_eqz(e->actor_session_id, s->id))
        add_session(&r, s);
    else
        r.session_id = e->actor_session_id;
    if (e->kind != LOCK_EVENT_LOCK)
        fill_member(&r, e);
    else if (!fill_lock(g, &r, e))
        return;
    r.resource_id = e->resource;
    r.rev = e->rev;
    r.event_id = str_of(event_id);
    audit_write(g->parts.audit, &r);
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
    audit_write(s->gateway->parts.audit, &r);
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

void trail_simple(struct gateway *g, enum audit_action action, bool failure, const char *reason) {
    struct audit_record r = blank(action, failure);
    r.reason = str_of(reason);
    audit_write(g->parts.audit, &r);
}
