/*
 * lock:takeover: an administrator takes a lock, or asks for it. The answer waits until the audit
 * has it on disk, and the events of the room wait for the answer.
 */
#include "answers.h"
#include "audit.h"
#include "delayed_replies.h"
#include "errors.h"
#include "handlers.h"
#include "registry.h"
#include "subscription.h"

#define ORIGIN_MAX 2048 /* bytes */

static const char *answer(struct session *s, struct membership *m, struct call *call,
                          const struct lock_takeover_result *result) {
    const struct lock_view *lock = &result->common.lock;
    struct wire_at at = session_at(call, &result->common);
    if (result->common.outcome == LOCK_OUT_GRANTED) {
        delayed_reply_send(
            s, m, lock->token,
            session_acquired(s, m, &call->ref, &at, lock, &result->previous, result->resumed));
        return "ok";
    }
    if (result->common.outcome == LOCK_OUT_PENDING) {
        struct wire_to to = session_to(&call->ref, m->type->policy);
        const struct lock_takeover *t = &lock->takeover;
        membership_note_id(m->takeover_id, t->request_id);
        delayed_reply_send(s, m, 0, wire_takeover_pending(&to, &at, t->request_id, t->force_at_ms));
        return "pending";
    }
    if (result->common.outcome == LOCK_OUT_TAKEOVER_IN_PROGRESS) {
        return session_answer_error(s, call, &result->common, WIRE_ERR_TAKEOVER_IN_PROGRESS,
                                    "Another administrator is taking this lock over.");
    }
    return session_other_answer(s, call, &result->common);
}

static void on_result(void *arg, const struct lock_takeover_result *result) {
    const struct call call = *(struct call *)arg;
    struct membership *m = call_to_answer(arg, &result->common);
    if (m != NULL) {
        call_end(arg, answer(m->session, m, arg, result));
    }
    membership_answer_sent(call.gateway, call.session_id, call.member_seq);
}

static bool may_take_over(const struct session *s, const struct config_resource_type *type) {
    return s->identity->admin ||
           (type->policy->takeover_roles.set &&
            auth_identity_has_role(s->identity, &type->policy->takeover_roles));
}

/* Session, address and roles, each followed by a NUL: what audit_events.c reads. */
static void put_origin(struct buf *out, const struct session *s) {
    const struct auth_identity *identity = s->identity;
    buf_append(out, s->id, strlen(s->id) + 1);
    buf_append(out, s->address, strlen(s->address) + 1);
    for (size_t i = 0; i < identity->role_count; i++) {
        size_t len = strlen(identity->roles[i]) + 1;
        if (out->len + len > ORIGIN_MAX) {
            return;
        }
        buf_append(out, identity->roles[i], len);
    }
}

void handle_takeover(struct session *s, const struct wire_request *r, struct membership *m,
                     const struct config_resource_type *type) {
    struct wire_error_extra extra = {.resource = wire_resource_str(&m->resource)};
    bool urgent = r->urgent && type->policy->urgent_takeover;
    if (!may_take_over(s, type)) {
        session_audit_refused(m, "FORBIDDEN");
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_FORBIDDEN,
                       "Only an administrator may take a lock over.", &extra);
        return;
    }
    if (type->policy->takeover == CONFIG_TAKEOVER_NEVER) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_TAKEOVER_DISABLED,
                       "Locks of this type cannot be taken over.", &extra);
        return;
    }
    if (!urgent && session_audit_forbids_admin(s->gateway)) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_AUDIT_UNAVAILABLE,
                       "The audit log cannot be written, so locks cannot be taken over.", &extra);
        return;
    }
    char id[RAND_ID_LEN + 1];
    rand_id(id);
    struct lock_caller caller;
    membership_caller(m, &caller);
    membership_defer_events(m); /* its events come after the answer */
    struct buf origin;
    buf_init(&origin);
    put_origin(&origin, s);
    lock_takeover(s->gateway->store, &caller, str_of(id), r->reason,
                  (struct str){origin.data, origin.len},
                  type->policy->takeover == CONFIG_TAKEOVER_REQUEST, urgent, on_result,
                  call_begin(s, r, m, type));
    buf_fini(&origin);
}
