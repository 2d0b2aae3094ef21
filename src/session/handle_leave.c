/* resource:leave: leaves the room; a lock is released without grace. */
#include "answers.h"
#include "errors.h"
#include "handlers.h"
#include "registry.h"
#include "send.h"

/* The leave failed, so the client believes that it is still in the room. The disconnect at the end
 * of the session leaves the room for it. */
static void stay(struct membership *m) {
    struct session *s = m->session;
    if (membership_find(s, wire_resource_str(&m->resource)) !=
        NULL) { /* it has joined again meanwhile */
        membership_destroy(m);
        return;
    }
    s->leaving_count--;
    m->state = m->joined_ms != 0 ? MEMBER_IN : MEMBER_JOINING;
}

static void on_result(void *arg, const struct lock_result *result) {
    struct call *call = arg;
    struct session *s = call_result(call, result);
    const char *outcome = "gone";
    struct membership *m = s != NULL ? call_membership(call, s) : NULL;
    if (m != NULL && session_failed(s, call, result)) {
        outcome = wire_error_name(WIRE_ERR_BACKEND_UNAVAILABLE);
        stay(m);
    } else if (m != NULL) {
        outcome = "ok";
        struct wire_to to = session_to(&call->ref, m->type->policy);
        struct wire_at at = session_at(call, result);
        membership_destroy(m); /* no event of the room follows the reply */
        session_send(s, wire_left(&to, &at));
    } else if (s != NULL) {
        outcome = session_room_gone(s, call, result);
    }
    call_end(call, outcome);
}

void handle_leave(struct session *s, const struct wire_request *r, struct membership *m,
                  const struct config_resource_type *type) {
    struct lock_caller caller;
    membership_caller(m, &caller);
    m->state = MEMBER_LEAVING;
    s->leaving_count++;
    lock_leave(s->gateway->store, &caller, on_result, call_begin(s, r, m, type));
}
