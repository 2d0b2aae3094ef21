/* lock:request_reply, lock:takeover_reply: the holder answers. */
#include "answers.h"
#include "errors.h"
#include "handlers.h"
#include "open_request.h"
#include "registry.h"
#include "send.h"

static enum lock_action action_of(enum wire_action action) {
    return action == WIRE_ACTION_APPROVE ? LOCK_APPROVE
           : action == WIRE_ACTION_DENY  ? LOCK_DENY
                                         : LOCK_IGNORE;
}

static const char *answer(struct session *s, struct membership *m, struct call *call,
                          const struct lock_reply_result *result) {
    if (result->common.outcome != LOCK_OUT_REPLIED) {
        return session_other_answer(s, call, &result->common);
    }
    bool takeover = call->kind == WIRE_REQ_TAKEOVER_REPLY;
    if (!takeover && call->action != WIRE_ACTION_IGNORE) {
        room_note_answered(&m->sub, str_of(call->request_id));
    }
    struct wire_to to = session_to(&call->ref, m->type->policy);
    session_send(s, wire_answered(&to, takeover ? "lock:takeover_replied" : "lock:request_replied",
                                  str_of(call->request_id), wire_action_name(call->action)));
    if (result->resumed) { /* the lock was in grace and is held again, maybe under another token */
        struct wire_at at = membership_at(m); /* its events are still to come */
        session_send(s, session_acquired(s, m, NULL, &at, &result->common.lock, NULL, true));
        membership_check_lost(m, result->common.lock.token);
    }
    return "ok";
}

static void on_result(void *arg, const struct lock_reply_result *result) {
    struct membership *m = call_to_answer(arg, &result->common);
    if (m != NULL) {
        call_end(arg, answer(m->session, m, arg, result));
    }
}

void handle_reply(struct session *s, const struct wire_request *r, struct membership *m,
                  const struct config_resource_type *type) {
    (void)type;
    m = open_request_room(s, r);
    if (m == NULL) {
        return;
    }
    struct lock_caller caller;
    membership_caller(m, &caller);
    lock_reply(s->gateway->store, &caller, r->kind == WIRE_REQ_TAKEOVER_REPLY, r->request_id,
               action_of(r->action), r->revision, on_result,
               call_begin_request(s, r, m, r->request_id));
}
