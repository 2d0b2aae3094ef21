/* lock:request_cancel, lock:takeover_cancel: whoever asked withdraws it. */
#include "answers.h"
#include "errors.h"
#include "handlers.h"
#include "open_request.h"
#include "registry.h"
#include "send.h"

static const char *answer(struct session *s, struct membership *m, struct call *call,
                          const struct lock_result *result) {
    if (result->outcome != LOCK_OUT_WITHDRAWN) {
        return session_other_answer(s, call, result);
    }
    bool takeover = call->kind == WIRE_REQ_TAKEOVER_CANCEL;
    struct wire_to to = session_to(&call->ref, m->type->policy);
    session_send(s,
                 wire_answered(&to, takeover ? "lock:takeover_cancelled" : "lock:request_cancelled",
                               str_of(call->request_id), NULL));
    return "ok";
}

static void on_result(void *arg, const struct lock_result *result) {
    struct membership *m = call_to_answer(arg, result);
    if (m != NULL) {
        call_end(arg, answer(m->session, m, arg, result));
    }
}

void handle_cancel(struct session *s, const struct wire_request *r, struct membership *m,
                   const struct config_resource_type *type) {
    (void)type;
    m = open_request_room(s, r);
    if (m == NULL) {
        return;
    }
    struct lock_caller caller;
    membership_caller(m, &caller);
    lock_withdraw(s->gateway->store, &caller,
                  r->kind == WIRE_REQ_TAKEOVER_CANCEL ? LOCK_TAKEOVER : LOCK_REQUEST, r->request_id,
                  on_result, call_begin_request(s, r, m, r->request_id));
}
