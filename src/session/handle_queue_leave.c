/* lock:queue_leave: gives up the place in the queue. */
#include "answers.h"
#include "errors.h"
#include "handlers.h"
#include "registry.h"
#include "send.h"

static const char *answer(struct session *s, struct membership *m, struct call *call,
                          const struct lock_result *result) {
    if (result->outcome == LOCK_OUT_WITHDRAWN) {
        struct wire_at at = session_at(call, result);
        struct wire_to to = session_to(&call->ref, m->type->policy);
        session_send(s, wire_queue_left(&to, &at, "LEFT"));
        return "ok";
    }
    if (result->outcome == LOCK_OUT_NOT_QUEUED) {
        return session_answer_error(s, call, result, WIRE_ERR_NOT_QUEUED,
                                    "This tab is not in the queue for the lock.");
    }
    return session_other_answer(s, call, result);
}

static void on_result(void *arg, const struct lock_result *result) {
    struct membership *m = call_to_answer(arg, result);
    if (m != NULL) {
        call_end(arg, answer(m->session, m, arg, result));
    }
}

void handle_queue_leave(struct session *s, const struct wire_request *r, struct membership *m,
                        const struct config_resource_type *type) {
    struct lock_caller caller;
    membership_caller(m, &caller);
    lock_withdraw(s->gateway->store, &caller, LOCK_QUEUE_PLACE, (struct str){"", 0}, on_result,
                  call_begin(s, r, m, type));
}
