/* lock:acquire, lock:claim: acquires the lock for this tab. */
#include "answers.h"
#include "handlers.h"
#include "registry.h"
#include "wslock/metrics/metrics.h"

static void on_result(void *arg, const struct lock_acquire_result *result) {
    struct call *call = arg;
    struct membership *m = call_to_answer(call, &result->common);
    if (m != NULL) {
        call_end(call, session_answer_acquire(m->session, m, call, &call->ref, result));
    }
}

/* The user's roles do not allow editing, so the store is not asked. The answer has the lock as the
 * room's copy has it. */
static void deny_role(struct session *s, const struct wire_request *r, struct membership *m) {
    struct lock_view lock;
    room_lock(&m->sub, &lock);
    struct wire_at at = membership_at(m);
    metrics_add(METRIC_REQUESTS, 1, wire_request_name(r->kind), "NOT_AN_EDITOR");
    session_send_denied(s, m, r->kind, &r->ref, &at, "NOT_AN_EDITOR", &lock);
}

void handle_acquire(struct session *s, const struct wire_request *r, struct membership *m,
                    const struct config_resource_type *type) {
    if (!membership_may_edit(m)) {
        deny_role(s, r, m);
        return;
    }
    struct lock_caller caller;
    membership_caller(m, &caller);
    enum lock_how how = r->kind == WIRE_REQ_CLAIM ? LOCK_CLAIM
                        : r->take_own             ? LOCK_TAKE_OWN
                                                  : LOCK_ACQUIRE;
    lock_acquire(s->gateway->store, &caller, how, on_result, call_begin(s, r, m, type));
}
