/*
 * lock:takeover: an administrator takes a lock, or asks for it. Its answer waits until the audit
 * has it on disk, and what the room says after it waits for the answer.
 */
#include "private.h"

#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"
#include "wslock/session/operate.h"

/* An answer that waits for the audit. The lock has moved, or is asked for, whatever the disk says.
 */
struct owed {
    struct list node;        /* of the gateway */
    struct gateway *gateway; /* NULL: it has gone */
    char session_id[RAND_ID_LEN + 1];
    uint64_t member_seq;
    int64_t token; /* of the lock that was granted; 0: none was */
    struct wire_message *message;
};

/* One answer less that the room's messages wait for. */
static void go_on(struct gateway *g, const char *session_id, uint64_t member_seq) {
    struct session *s = gateway_session(g, session_id);
    struct membership *m = s ? membership_by_seq(s, member_seq) : NULL;
    if (m && --m->answers_open == 0 && m->state == MEMBER_IN)
        membership_resume(m, 0, NULL);
}

static void on_audited(void *arg) {
    struct owed *owed = arg;
    struct session *s = owed->gateway ? gateway_session(owed->gateway, owed->session_id) : NULL;
    struct membership *m = s ? membership_by_seq(s, owed->member_seq) : NULL;
    list_remove(&owed->node);
    if (s && s->state == SESSION_READY) {
        session_send(s, owed->message);
        owed->message = NULL;
        if (m && owed->token != 0)
            membership_check_lost(m, owed->token);
    }
    if (owed->gateway)
        go_on(owed->gateway, owed->session_id, owed->member_seq);
    wire_message_unref(owed->message);
    mem_free(owed);
}

void takeover_forget_all(struct gateway *g) {
    LIST_FOREACH_SAFE(it, tmp, &g->owed) {
        CONTAINER_OF(it, struct owed, node)->gateway = NULL;
        list_remove(it);
    }
}

static void answer_when_audited(struct session *s, struct membership *m, int64_t token,
                                struct wire_message *message) {
    struct owed *owed = mem_zalloc(sizeof *owed);
    owed->gateway = s->gateway;
    list_push_back(&s->gateway->owed, &owed->node);
    memcpy(owed->session_id, s->id, sizeof owed->session_id);
    owed->member_seq = m->seq;
    owed->token = token;
    owed->message = message;
    membership_hold(m);
    gateway_when_audited(s->gateway, on_audited, owed);
}

static const char *answer(struct session *s, struct membership *m, struct call *call,
                          const struct lock_result *result) {
    struct wire_at at = session_at(call, result);
    if (result->outcome == LOCK_OUT_GRANTED) {
        answer_when_audited(s, m, result->lock.token,
                            session_acquired(s, m, &call->ref, &at, &result->lock,
                                             &result->previous, result->resumed));
        return "ok";
    }
    if (result->outcome == LOCK_OUT_PENDING) {
        struct wire_to to = session_to(s, &call->ref, m->policy);
        const struct lock_takeover *t = &result->lock.takeover;
        membership_note_id(m->takeover_id, t->request_id);
        answer_when_audited(s, m, 0,
                            wire_takeover_pending(&to, &at, t->request_id, t->force_at_ms));
        return "pending";
    }
    if (result->outcome == LOCK_OUT_TAKEOVER_IN_PROGRESS)
        return session_answer_error(s, call, result, WIRE_ERR_TAKEOVER_IN_PROGRESS,
                                    "Another administrator is taking this lock over.");
    return session_other_answer(s, call, result);
}

static void on_result(void *arg, const struct lock_result *result) {
    const struct call call = *(struct call *)arg;
    call_finish(arg, result, answer);
    go_on(call.gateway, call.session_id, call.member_seq);
}

static bool may_take_over(const struct session *s, const struct config_policy *policy) {
    return s->identity->admin || (policy->takeover_roles.set &&
                                  auth_identity_has_role(s->identity, &policy->takeover_roles));
}

void handle_takeover(struct session *s, const struct wire_request *r, struct membership *m,
                     const struct config_policy *policy) {
    struct wire_error_extra extra = {.resource = wire_resource_str(&m->resource)};
    bool urgent = r->urgent && policy->urgent_takeover;
    if (!may_take_over(s, policy)) {
        trail_refused(m, "FORBIDDEN");
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_FORBIDDEN,
                       "Only an administrator may take a lock over.", &extra);
        return;
    }
    if (policy->takeover == CONFIG_TAKEOVER_NEVER) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_TAKEOVER_DISABLED,
                       "Locks of this type are never taken over.", &extra);
        return;
    }
    if (!urgent && trail_forbids_admin(s->gateway)) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_AUDIT_UNAVAILABLE,
                       "The audit cannot be written, and without it nobody takes a lock over.",
                       &extra);
        return;
    }
    char id[RAND_ID_LEN + 1];
    rand_id(id);
    struct lock_caller caller;
    membership_caller(m, &caller);
    membership_hold(m); /* what it causes is not told before the answer */
    lock_takeover(s->gateway->store, &caller, str_of(id), r->reason,
                  policy->takeover == CONFIG_TAKEOVER_REQUEST, urgent, on_result,
                  call_begin(s, r, m, policy));
}
