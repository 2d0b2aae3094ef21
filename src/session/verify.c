/* Verifies the fencing token of a lock for the application, before it stores what was edited. */
#include "wslock/session/verify.h"

#include <string.h>

#include "audit_events.h"
#include "audit_record.h"
#include "registry.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

struct verification {
    struct gateway *gateway;
    struct verify_question question;
    verify_cb cb;
    void *arg;
};

bool gateway_has_tickets(const struct gateway *g) {
    return g->parts.tickets != NULL;
}

struct str gateway_ticket_jwks(const struct gateway *g) {
    return g->parts.tickets != NULL ? ticket_keys_jwks(g->parts.tickets) : (struct str){NULL, 0};
}

bool gateway_knows_resource(const struct gateway *g, const struct wire_resource *resource) {
    return gateway_type_of(g, resource) != NULL;
}

/* owner: of the lock under that token, as far as it is known. */
static void audit_refused(struct gateway *g, enum audit_action action, struct str resource,
                          int64_t fence, struct audit_person owner, const char *reason) {
    struct audit_record r = audit_record_blank(action, true);
    r.resource_id = resource;
    r.user = owner;
    r.fence = fence;
    r.reason = str_of(reason);
    r.detail = str_of("asked by the application");
    audit_write(g->parts.audit, &r);
}

bool gateway_read_ticket(struct gateway *g, struct str ticket, struct verify_question *question,
                         const char **reason) {
    static struct log_limit limit;
    const struct audit_person nobody = {{NULL, 0}, {NULL, 0}};
    struct ticket_claims claims;
    const char *why = "no tickets are signed here";
    struct str resource = wire_resource_str(&question->resource);
    *reason = NULL;
    if (g->parts.tickets == NULL || !ticket_read(g->parts.tickets, ticket, &claims, &why)) {
        *reason = "TICKET_INVALID";
    } else if (!str_eqz(resource, claims.resource)) {
        *reason = "OTHER_RESOURCE";
    }
    if (*reason != NULL) {
        if (log_limit_pass(&limit, 60)) {
            log_info("ticket_refused", LFS("resource", resource), LF("reason", *reason),
                     LF("why", why != NULL ? why : ""));
        }
        audit_refused(g, AUDIT_ACCESS_DENIED, resource, 0, nobody, *reason);
        return false;
    }
    question->token = claims.fence;
    memcpy(question->ticket_user, claims.user_id, sizeof question->ticket_user);
    question->ticket_expires_ms = claims.expires_unix_ms;
    return true;
}

static struct verify_grant latest_after(int64_t token, const struct lock_verify_result *result) {
    const struct lock_view *now = &result->common.lock;
    const struct lock_ending *last = &result->previous;
    if (lock_is_owned(now) && now->token > token) {
        return (struct verify_grant){now->token, now->user_id, now->username};
    }
    if (last->present && last->token > token) {
        return (struct verify_grant){last->token, last->user_id, last->username};
    }
    return (struct verify_grant){0, {NULL, 0}, {NULL, 0}};
}

static void judge_current(const struct verification *v, const struct lock_verify_result *result,
                          struct verify_answer *answer) {
    const struct lock_view *lock = &result->common.lock;
    const struct verify_question *q = &v->question;
    bool grace = lock->state == LOCK_STATE_GRACE, ticket = q->ticket_expires_ms != 0;
    answer->verdict = VERIFY_INVALID;
    if (ticket && !str_eqz(lock->user_id, q->ticket_user)) {
        answer->reason = "TICKET_INVALID";
        return;
    }
    /* A ticket has whole seconds: its last one counts in full. In grace it does not expire, since
     * nobody can get a newer one. */
    if (ticket && !grace && result->common.now_ms >= q->ticket_expires_ms + 1000) {
        answer->reason = "TICKET_EXPIRED";
        return;
    }
    answer->verdict = VERIFY_VALID;
    answer->holder = (struct verify_grant){lock->token, lock->user_id, lock->username};
    answer->expires_ms = grace ? lock->grace_until_ms : lock->expires_ms;
}

static void judge_lost(const struct verification *v, const struct lock_verify_result *result,
                       struct verify_answer *answer) {
    const struct lock_ending *lost = &result->lost;
    answer->verdict = VERIFY_INVALID;
    answer->reason = lock_cause_text(lost->reason);
    answer->ended_ms = lost->ended_ms;
    answer->superseded_by = latest_after(v->question.token, result);
    metrics_add(METRIC_STALE_TOKENS, 1, NULL, NULL);
    audit_refused(v->gateway, AUDIT_STALE_TOKEN_REJECTED, wire_resource_str(&v->question.resource),
                  v->question.token, (struct audit_person){lost->user_id, lost->username},
                  answer->reason);
}

static void on_result(void *arg, const struct lock_verify_result *result) {
    static struct log_limit limit;
    struct verification *v = arg;
    struct verify_answer answer = {.verdict = VERIFY_UNAVAILABLE};
    session_audit_events(v->gateway, NULL, &result->common);
    if (result->common.status != LOCK_OK && log_limit_pass(&limit, 60)) {
        log_warn("store_call_failed", LF("request", "verify"), LF("error", result->common.error));
    }
    if (result->common.status == LOCK_OK && result->common.outcome == LOCK_OUT_NONE) {
        judge_current(v, result, &answer);
    } else if (result->common.status == LOCK_OK && result->common.outcome == LOCK_OUT_LOST) {
        judge_lost(v, result, &answer);
    }
    v->cb(v->arg, &answer);
    mem_free(v);
}

void gateway_verify_lock(struct gateway *g, const struct verify_question *question, verify_cb cb,
                         void *arg) {
    struct verification *v = mem_alloc(sizeof *v);
    *v = (struct verification){g, *question, cb, arg};
    lock_verify(g->store, wire_resource_str(&v->question.resource), question->token, on_result, v);
}
