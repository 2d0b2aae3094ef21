/* lock:request: asks the holder for the lock. */
#include "answers.h"
#include "errors.h"
#include "handlers.h"
#include "registry.h"
#include "send.h"

static const char *answer(struct session *s, struct membership *m, struct call *call,
                          const struct lock_request_result *result) {
    struct wire_at at = session_at(call, &result->common);
    if (result->common.outcome == LOCK_OUT_REQUESTED) {
        struct wire_to to = session_to(&call->ref, m->type->policy);
        membership_note_id(m->request_id, result->request_id);
        session_send(s, wire_requested(&to, &at, result->request_id, result->ends_ms,
                                       lock_state_text(result->common.lock.state)));
        return "ok";
    }
    if (result->common.outcome == LOCK_OUT_QUEUE_FULL) {
        return session_queue_full(s, call->kind, &call->ref, &at);
    }
    if (result->common.outcome == LOCK_OUT_OWN) {
        struct wire_error_extra extra = {
            .resource = at.resource, .rev = at.rev, .field = "resourceId"};
        session_error(s, wire_request_name(call->kind), &call->ref, WIRE_ERR_INVALID_ARGUMENT,
                      "This user already has the lock, or the lock is reserved for this user.",
                      &extra);
        return wire_error_name(WIRE_ERR_INVALID_ARGUMENT);
    }
    return session_other_answer(s, call, &result->common);
}

static void on_result(void *arg, const struct lock_request_result *result) {
    struct membership *m = call_to_answer(arg, &result->common);
    if (m != NULL) {
        call_end(arg, answer(m->session, m, arg, result));
    }
}

void handle_request(struct session *s, const struct wire_request *r, struct membership *m,
                    const struct config_resource_type *type) {
    struct wire_error_extra extra = {.resource = wire_resource_str(&m->resource)};
    if (type->policy->upgrade != CONFIG_UPGRADE_REQUEST && !type->policy->requests) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_REQUESTS_DISABLED,
                       "Locks of this type cannot be requested from their holder.", &extra);
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
    struct str message = r->message.p != NULL ? r->message : (struct str){"", 0};
    lock_request(s->gateway->store, &caller, str_of(id), message, on_result,
                 call_begin_request(s, r, m, str_of(id)));
}
