/* The audit of sessions and refusals. */
#include "audit.h"

#include "audit_record.h"
#include "registry.h"
#include "wslock/session/gateway.h"
#include "wslock/session/operate.h"

void session_audit_session(struct session *s, enum audit_action action, const char *reason) {
    struct audit_record r = audit_record_blank(action, action == AUDIT_AUTH_FAILED);
    audit_record_add_session(&r, s);
    r.reason = str_of(reason);
    /* A newer token may have changed the name meanwhile. */
    if (s->identity != NULL && (action == AUDIT_SESSION_OPENED || action == AUDIT_SESSION_CLOSED)) {
        r.detail = str_of(s->identity->name_note);
    }
    audit_write(s->gateway->parts.audit, &r);
}

void session_audit_terminated(struct session *s, const struct lock_operation *by) {
    struct audit_record r = audit_record_blank(AUDIT_SESSION_TERMINATED, false);
    char detail[AUDIT_OPERATOR_DETAIL];
    audit_record_add_session(&r, s);
    r.user_agent = (struct str){NULL, 0}; /* the record's address is the operator's */
    audit_record_add_operator(s->gateway, &r, by, detail);
    audit_write(s->gateway->parts.audit, &r);
}

bool session_audit_forbids_admin(const struct gateway *g) {
    return g->parts.config->audit.on_failure != CONFIG_ON_FAILURE_CONTINUE &&
           !audit_healthy(g->parts.audit);
}

bool session_audit_stops_all(const struct gateway *g) {
    return g->parts.config->audit.on_failure == CONFIG_ON_FAILURE_STOP_ALL &&
           !audit_healthy(g->parts.audit);
}

static struct audit_record member_record(const struct membership *m, enum audit_action action,
                                         const char *reason) {
    struct audit_record r = audit_record_blank(action, true);
    audit_record_add_session(&r, m->session);
    r.resource_id = wire_resource_str(&m->resource);
    r.reason = str_of(reason);
    return r;
}

void session_audit_denied(struct membership *m, const char *reason, const char *ref,
                          const struct lock_view *lock) {
    struct audit_record r = member_record(m, AUDIT_LOCK_DENIED, reason);
    r.ref = str_of(ref);
    if (lock != NULL && lock->state != LOCK_STATE_FREE) {
        r.previous_holder = (struct audit_person){lock->user_id, lock->username};
    }
    audit_write(m->session->gateway->parts.audit, &r);
}

void session_audit_refused(struct membership *m, const char *reason) {
    struct audit_record r = member_record(m, AUDIT_ACCESS_DENIED, reason);
    audit_write(m->session->gateway->parts.audit, &r);
}

void session_audit_stale(struct membership *m, int64_t token, const char *reason) {
    struct audit_record r = member_record(m, AUDIT_STALE_TOKEN_REJECTED, reason);
    r.fence = token;
    audit_write(m->session->gateway->parts.audit, &r);
}

void session_audit_refused_user(const struct session *s, const struct auth_identity *identity,
                                const char *reason) {
    struct audit_record r = audit_record_blank(AUDIT_ACCESS_DENIED, true);
    audit_record_add_session(&r, s);
    audit_record_add_identity(&r, identity);
    r.reason = str_of(reason);
    audit_write(s->gateway->parts.audit, &r);
}

void session_audit_simple(struct gateway *g, enum audit_action action, bool failure,
                          const char *reason, const char *detail) {
    struct audit_record r = audit_record_blank(action, failure);
    r.reason = str_of(reason);
    r.detail = str_of(detail);
    audit_write(g->parts.audit, &r);
}

void session_audit_operated(struct gateway *g, enum audit_action action, bool failure,
                            const struct lock_operation *by) {
    struct audit_record r = audit_record_blank(action, failure);
    char detail[AUDIT_OPERATOR_DETAIL];
    if (by != NULL) {
        audit_record_add_operator(g, &r, by, detail);
    }
    audit_write(g->parts.audit, &r);
}

void gateway_record_reload(struct gateway *g, bool ok, const struct lock_operation *by) {
    session_audit_operated(g, AUDIT_CONFIG_RELOADED, !ok, by);
}

bool gateway_forbids_admin(const struct gateway *g) {
    return session_audit_forbids_admin(g);
}

void gateway_when_audited(struct gateway *g, void (*done)(void *arg, bool ok), void *arg) {
    audit_sync(g->parts.audit, done, arg);
}
