/* lock:release: the holder gives the lock up. */
#include "answers.h"
#include "errors.h"
#include "handlers.h"
#include "registry.h"
#include "send.h"

static const char *answer(struct session *s, struct membership *m, struct call *call,
                          const struct lock_result *result) {
    struct wire_at at = session_at(call, result);
    if (result->outcome == LOCK_OUT_RELEASED) {
        membership_ended(m, at.rev, LOCK_CAUSE_RELEASED);
        struct wire_to to = session_to(&call->ref, m->type->policy);
        session_send(s, wire_released_reply(&to, &at, lock_cause_text(LOCK_CAUSE_RELEASED)));
        return "ok";
    }
    struct wire_error_extra extra = {.resource = at.resource, .rev = at.rev};
    if (result->outcome == LOCK_OUT_RECOVERING) {
        return session_unavailable(s, call);
    }
    enum wire_error_code code =
        result->outcome == LOCK_OUT_NOT_JOINED ? WIRE_ERR_NOT_JOINED : WIRE_ERR_NOT_HOLDER;
    session_error(s, wire_request_name(call->kind), &call->ref, code,
                  "This tab does not hold the lock.", &extra);
    return wire_error_name(code);
}

static void on_result(void *arg, const struct lock_result *result) {
    struct membership *m = call_to_answer(arg, result);
    if (m != NULL) {
        call_end(arg, answer(m->session, m, arg, result));
    }
}

void handle_release(struct session *s, const struct wire_request *r, struct membership *m,
                    const struct config_resource_type *type) {
    struct lock_caller caller;
    membership_caller(m, &caller);
    lock_release(s->gateway->store, &caller, m->token, r->revision, on_result,
                 call_begin(s, r, m, type));
}
