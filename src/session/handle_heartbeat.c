/* lock:heartbeat: the holder is still there. */
#include "private.h"

#include "wslock/metrics/metrics.h"

static const char *lost(struct session *s, struct membership *m, struct call *call,
                        const struct lock_result *result) {
    const char *reason = lock_cause_text(result->lost.reason);
    if (result->lost.reason == LOCK_CAUSE_STALE_TOKEN) {
        metrics_add(METRIC_STALE_TOKENS, 1, NULL, NULL);
        trail_stale(s, call, reason);
    }
    int64_t token = result->lost.token != 0 ? result->lost.token : m->token;
    if (token >= m->token)
        m->token = 0;
    struct wire_to to = session_to(s, &call->ref, m->policy);
    struct wire_at at = session_at(call, result);
    session_send(s, wire_lost(&to, &at, token, reason, (struct str){NULL, 0}));
    return reason;
}

static const char *answer(struct session *s, struct membership *m, struct call *call,
                          const struct lock_result *result) {
    struct wire_at at = session_at(call, result);
    struct wire_error_extra extra = {.resource = at.resource, .rev = at.rev};
    if (result->outcome == LOCK_OUT_RENEWED) {
        membership_granted(m, &result->lock, at.rev);
        struct wire_to to = session_to(s, &call->ref, m->policy);
        session_send(
            s, wire_renewed(&to, &at, result->lock.token, result->lock.expires_ms, result->resumed,
                            session_ticket(s, at.resource, &result->lock, at.server_time_ms)));
        membership_check_lost(m, result->lock.token);
        return "ok";
    }
    if (result->outcome == LOCK_OUT_LOST)
        return lost(s, m, call, result);
    if (result->outcome == LOCK_OUT_NOT_JOINED)
        return session_room_gone(s, call, result);
    if (result->outcome == LOCK_OUT_RECOVERING) { /* resuming without the token is a new grant */
        session_unavailable(s, call);
        return wire_error_name(WIRE_ERR_BACKEND_UNAVAILABLE);
    }
    session_error(s, &call->ref, WIRE_ERR_INTERNAL,
                  "The store gave an answer that was not asked for.", &extra);
    return wire_error_name(WIRE_ERR_INTERNAL);
}

static void on_result(void *arg, const struct lock_result *result) {
    call_finish(arg, result, answer);
}

/* What it holds it may keep until it ends, but who may not edit takes no lock up again. */
static void deny_role(struct session *s, const struct wire_request *r, struct membership *m) {
    struct wire_at at = session_at_now(m);
    struct wire_to to = session_to(s, &r->ref, m->policy);
    metrics_add(METRIC_REQUESTS, 1, wire_request_name(r->kind), "NOT_HELD");
    session_send(s, wire_lost(&to, &at, r->token, "NOT_HELD", (struct str){NULL, 0}));
}

void handle_heartbeat(struct session *s, const struct wire_request *r, struct membership *m,
                      const struct config_policy *policy) {
    if (m->token == 0 && !membership_may_edit(m)) {
        deny_role(s, r, m);
        return;
    }
    struct lock_caller caller;
    membership_caller(m, &caller);
    lock_heartbeat(s->gateway->store, &caller, r->token, r->active, r->dirty, on_result,
                   call_begin(s, r, m, policy));
}
