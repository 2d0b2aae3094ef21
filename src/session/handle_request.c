/* lock:queue_leave, lock:request, lock:request_reply, lock:request_cancel: waiting for the lock. */
#include "private.h"

#include "wslock/metrics/metrics.h"

const char *session_answer_error(struct session *s, const struct call *call,
                                 const struct lock_result *result, enum wire_error_code code,
                                 const char *message) {
    struct wire_error_extra extra = call_error_extra(call, result->rev);
    session_error(s, &call->ref, code, message, &extra);
    return wire_error_name(code);
}

const char *session_other_answer(struct session *s, const struct call *call,
                                 const struct lock_result *result) {
    if (result->outcome == LOCK_OUT_RECOVERING) {
        session_unavailable(s, call);
        return wire_error_name(WIRE_ERR_BACKEND_UNAVAILABLE);
    }
    if (result->outcome == LOCK_OUT_NOT_JOINED)
        return session_room_gone(s, call, result);
    if (result->outcome == LOCK_OUT_UNKNOWN_REQUEST)
        return session_answer_error(s, call, result, WIRE_ERR_UNKNOWN_REQUEST,
                                    "There is no such request, or it is over.");
    if (result->outcome == LOCK_OUT_NOT_HOLDER)
        return session_answer_error(s, call, result, WIRE_ERR_NOT_HOLDER,
                                    "This tab does not hold the lock.");
    return session_answer_error(s, call, result, WIRE_ERR_INTERNAL,
                                "The store gave an answer that was not asked for.");
}

static bool knows_request(const struct membership *m, struct str id) {
    return id.len > 0 && id.len <= RAND_ID_LEN &&
           (str_eqz(id, m->request_id) || str_eqz(id, m->takeover_id) ||
            room_knows_request(&m->sub, id));
}

struct membership *session_request_room(struct session *s, const struct wire_request *r) {
    LIST_FOREACH_SAFE(it, tmp, &s->memberships) {
        struct membership *m = CONTAINER_OF(it, struct membership, node);
        if (m->state == MEMBER_IN && knows_request(m, r->request_id))
            return m;
    }
    session_refuse(s, r->kind, &r->ref, WIRE_ERR_UNKNOWN_REQUEST,
                   "There is no such request, or it is over.", NULL);
    return NULL;
}

static struct call *begin(struct session *s, const struct wire_request *r, struct membership *m,
                          struct str request_id) {
    struct call *call = call_begin(s, r, m, m->policy);
    memcpy(call->request_id, request_id.p, request_id.len);
    call->request_id[request_id.len] = '\0';
    return call;
}

/* ---- lock:queue_leave ---- */

static const char *answer_leave(struct session *s, struct membership *m, struct call *call,
                                const struct lock_result *result) {
    struct wire_at at = session_at(call, result);
    if (result->outcome == LOCK_OUT_WITHDRAWN) {
        struct wire_to to = session_to(s, &call->ref, m->policy);
        session_send(s, wire_queue_left(&to, &at, "LEFT"));
        return "ok";
    }
    if (result->outcome == LOCK_OUT_NOT_QUEUED)
        return session_answer_error(s, call, result, WIRE_ERR_NOT_QUEUED,
                                    "This tab does not wait for the lock.");
    return session_other_answer(s, call, result);
}

static void on_left(void *arg, const struct lock_result *result) {
    call_finish(arg, result, answer_leave);
}

void handle_queue_leave(struct session *s, const struct wire_request *r, struct membership *m,
                        const struct config_policy *policy) {
    struct lock_caller caller;
    membership_caller(m, &caller);
    lock_withdraw(s->gateway->store, &caller, LOCK_QUEUE_PLACE, (struct str){"", 0}, on_left,
                  call_begin(s, r, m, policy));
}

/* ---- lock:request ---- */

static const char *answer_request(struct session *s, struct membership *m, struct call *call,
                                  const struct lock_result *result) {
    struct wire_at at = session_at(call, result);
    if (result->outcome == LOCK_OUT_REQUESTED) {
        struct wire_to to = session_to(s, &call->ref, m->policy);
        membership_note_id(m->request_id, result->request_id);
        session_send(s, wire_requested(&to, &at, result->request_id, result->ends_ms,
                                       lock_state_text(result->lock.state)));
        return "ok";
    }
    if (result->outcome == LOCK_OUT_QUEUE_FULL)
        return session_full_queue(s, &call->ref, &at);
    if (result->outcome == LOCK_OUT_OWN) {
        struct wire_error_extra extra = {
            .resource = at.resource, .rev = at.rev, .field = "resourceId"};
        session_error(s, &call->ref, WIRE_ERR_INVALID_ARGUMENT,
                      "This user has the lock already, or it is their turn.", &extra);
        return wire_error_name(WIRE_ERR_INVALID_ARGUMENT);
    }
    return session_other_answer(s, call, result);
}

static void on_requested(void *arg, const struct lock_result *result) {
    call_finish(arg, result, answer_request);
}

void handle_request(struct session *s, const struct wire_request *r, struct membership *m,
                    const struct config_policy *policy) {
    struct wire_error_extra extra = {.resource = wire_resource_str(&m->resource)};
    if (policy->upgrade != CONFIG_UPGRADE_REQUEST && !policy->requests) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_REQUESTS_DISABLED,
                       "Nobody is asked for locks of this type.", &extra);
        return;
    }
    if (!membership_may_edit(m)) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_FORBIDDEN,
                       "This user may not edit resources of this type.", &extra);
        return;
    }
    char id[RAND_ID_LEN + 1];
    rand_id(id);
    struct lock_caller caller;
    membership_caller(m, &caller);
    struct str message = r->message.p ? r->message : (struct str){"", 0};
    lock_request(s->gateway->store, &caller, str_of(id), message, on_requested,
                 begin(s, r, m, str_of(id)));
}

/* ---- lock:request_reply, lock:request_cancel ---- */

static enum lock_action action_of(enum wire_action action) {
    return action == WIRE_ACTION_APPROVE ? LOCK_APPROVE
           : action == WIRE_ACTION_DENY  ? LOCK_DENY
                                         : LOCK_IGNORE;
}

static const char *answer_reply(struct session *s, struct membership *m, struct call *call,
                                const struct lock_result *result) {
    if (result->outcome != LOCK_OUT_REPLIED)
        return session_other_answer(s, call, result);
    bool takeover = call->kind == WIRE_REQ_TAKEOVER_REPLY;
    struct wire_to to = session_to(s, &call->ref, m->policy);
    session_send(s, wire_answered(&to, takeover ? "lock:takeover_replied" : "lock:request_replied",
                                  str_of(call->request_id), wire_action_name(call->action)));
    if (result->resumed) { /* it was in grace, and goes on, perhaps under another token */
        struct wire_at at = session_at_now(m); /* the events that say so are still to come */
        session_send(s, session_acquired(s, m, NULL, &at, &result->lock, &result->previous, true));
        membership_check_lost(m, result->lock.token);
    }
    return "ok";
}

static void on_replied(void *arg, const struct lock_result *result) {
    call_finish(arg, result, answer_reply);
}

static void reply(struct session *s, const struct wire_request *r, bool takeover) {
    struct membership *m = session_request_room(s, r);
    if (!m)
        return;
    struct lock_caller caller;
    membership_caller(m, &caller);
    lock_reply(s->gateway->store, &caller, takeover, r->request_id, action_of(r->action),
               r->revision, on_replied, begin(s, r, m, r->request_id));
}

void handle_request_reply(struct session *s, const struct wire_request *r, struct membership *m,
                          const struct config_policy *policy) {
    (void)m;
    (void)policy;
    reply(s, r, false);
}

void handle_takeover_reply(struct session *s, const struct wire_request *r, struct membership *m,
                           const struct config_policy *policy) {
    (void)m;
    (void)policy;
    reply(s, r, true);
}

static const char *answer_cancel(struct session *s, struct membership *m, struct call *call,
                                 const struct lock_result *result) {
    if (result->outcome != LOCK_OUT_WITHDRAWN)
        return session_other_answer(s, call, result);
    bool takeover = call->kind == WIRE_REQ_TAKEOVER_CANCEL;
    struct wire_to to = session_to(s, &call->ref, m->policy);
    session_send(s,
                 wire_answered(&to, takeover ? "lock:takeover_cancelled" : "lock:request_cancelled",
                               str_of(call->request_id), NULL));
    return "ok";
}

static void on_cancelled(void *arg, const struct lock_result *result) {
    call_finish(arg, result, answer_cancel);
}

static void cancel(struct session *s, const struct wire_request *r, enum lock_what what) {
    struct membership *m = session_request_room(s, r);
    if (!m)
        return;
    struct lock_caller caller;
    membership_caller(m, &caller);
    lock_withdraw(s->gateway->store, &caller, what, r->request_id, on_cancelled,
                  begin(s, r, m, r->request_id));
}

void handle_request_cancel(struct session *s, const struct wire_request *r, struct membership *m,
                           const struct config_policy *policy) {
    (void)m;
    (void)policy;
    cancel(s, r, LOCK_REQUEST);
}

void handle_takeover_cancel(struct session *s, const struct wire_request *r, struct membership *m,
                            const struct config_policy *policy) {
    (void)m;
    (void)policy;
    cancel(s, r, LOCK_TAKEOVER);
}
