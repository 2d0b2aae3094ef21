/* lock:status: the state of a lock; needs no join. */
#include "answers.h"
#include "errors.h"
#include "handlers.h"
#include "registry.h"
#include "send.h"
#include "wslock/base/mem.h"

static void on_result(void *arg, const struct lock_result *result) {
    struct call *call = arg;
    struct session *s = call_result(call, result);
    const char *outcome = "gone";
    if (s != NULL && session_failed(s, call, result)) {
        outcome = wire_error_name(WIRE_ERR_BACKEND_UNAVAILABLE);
    } else if (s != NULL) {
        const struct lock_view *view = &result->lock;
        bool mine = view->state != LOCK_STATE_FREE &&
                    str_eqz(view->user_id, s->identity->user_id) && s->client_id[0] != '\0' &&
                    str_eqz(view->client_id, s->client_id);
        struct wire_lock lock;
        room_wire_lock(view, mine, &lock);
        struct wire_to to = session_to(&call->ref, call->type->policy);
        struct wire_at at = session_at(call, result);
        struct membership *m = membership_find(s, at.resource);
        struct wire_pending pending = {0};
        struct wire_open_request *received = NULL;
        if (m != NULL) {
            room_pending(&m->sub, NULL, &pending, &received);
        }
        session_send(s, wire_lock_state(&to, &at, &lock, NULL, &pending));
        mem_free(received);
        outcome = "ok";
    }
    call_end(call, outcome);
}

void handle_status(struct session *s, const struct wire_request *r, struct membership *m,
                   const struct config_resource_type *type) {
    (void)m;
    lock_status(s->gateway->store, wire_resource_str(&r->resource), on_result,
                call_begin(s, r, NULL, type));
}
