/* lock:heartbeat: renews the lock of a holder, or resumes it. */
#include "answers.h"
#include "audit.h"
#include "errors.h"
#include "handlers.h"
#include "registry.h"
#include "send.h"
#include "wslock/metrics/metrics.h"

static const char *lost(struct session *s, struct membership *m, struct call *call,
                        const struct lock_heartbeat_result *result) {
    const char *reason = lock_cause_text(result->lost.reason);
    if (result->lost.reason == LOCK_CAUSE_STALE_TOKEN) {
        metrics_add(METRIC_STALE_TOKENS, 1, NULL, NULL);
        session_audit_stale(m, call->token, reason);
    }
    int64_t token = result->lost.token != 0 ? result->lost.token : m->token;
    if (token >= m->token) {
        m->token = 0;
    }
    struct wire_to to = session_to(&call->ref, m->type->policy);
    struct wire_at at = session_at(call, &result->common);
    session_send(s, wire_lost(&to, &at, token, reason, (struct str){NULL, 0}));
    return reason;
}

static const char *answer(struct session *s, struct membership *m, struct call *call,
                          const struct lock_heartbeat_result *result) {
    const struct lock_view *lock = &result->common.lock;
    struct wire_at at = session_at(call, &result->common);
    if (result->common.outcome == LOCK_OUT_RENEWED) {
        membership_granted(m, lock, at.rev);
        struct wire_to to = session_to(&call->ref, m->type->policy);
        session_send(s, wire_renewed(&to, &at, lock->token, lock->expires_ms, result->resumed,
                                     session_ticket(s, at.resource, lock, at.server_time_ms)));
        membership_check_lost(m, lock->token);
        return "ok";
    }
    if (result->common.outcome == LOCK_OUT_LOST) {
        return lost(s, m, call, result);
    }
    return session_other_answer(s, call, &result->common);
}

static void on_result(void *arg, const struct lock_heartbeat_result *result) {
    struct membership *m = call_to_answer(arg, &result->common);
    if (m != NULL) {
        call_end(arg, answer(m->session, m, arg, result));
    }
}

/* A user who may not edit keeps a lock until it ends, but does not resume one. */
static void deny_role(struct session *s, const struct wire_request *r, struct membership *m) {
    struct wire_at at = membership_at(m);
    struct wire_to to = session_to(&r->ref, m->type->policy);
    metrics_add(METRIC_REQUESTS, 1, wire_request_name(r->kind), "NOT_HELD");
    session_send(s, wire_lost(&to, &at, r->token, "NOT_HELD", (struct str){NULL, 0}));
}

void handle_heartbeat(struct session *s, const struct wire_request *r, struct membership *m,
                      const struct config_resource_type *type) {
    if (m->token == 0 && !membership_may_edit(m)) {
        deny_role(s, r, m);
        return;
    }
    struct lock_caller caller;
    membership_caller(m, &caller);
    lock_heartbeat(s->gateway->store, &caller, r->token, r->active, r->dirty, on_result,
                   call_begin(s, r, m, type));
}
