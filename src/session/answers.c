/* Answers from the typed result of a script. */
#include "answers.h"

#include <string.h>

#include "audit.h"
#include "errors.h"
#include "registry.h"
#include "send.h"
#include "wslock/base/buf.h"
#include "wslock/base/log.h"
#include "wslock/metrics/metrics.h"

#define RETRY_RECOVERING_MS 1000

struct membership *call_to_answer(struct call *call, const struct lock_result *result) {
    struct session *s = call_result(call, result);
    struct membership *m = s != NULL ? call_membership(call, s) : NULL;
    if (m != NULL && result->status == LOCK_OK) {
        return m;
    }
    call_end(call, s != NULL ? session_room_gone(s, call, result) : "gone");
    return NULL;
}

struct wire_at session_at(const struct call *call, const struct lock_result *result) {
    struct wire_at at = {wire_resource_str(&call->resource), result->rev, result->now_ms};
    return at;
}

struct str session_ticket(const struct session *s, struct str resource,
                          const struct lock_view *lock, int64_t now_ms) {
    static struct buf text; /* kept from call to call */
    static struct log_limit limit;
    const struct ticket ticket = {
        .user_id = str_of(s->identity->user_id),
        .resource = resource,
        .fence = lock->token,
        .issued_unix_ms = now_ms,
        .expires_unix_ms = lock->expires_ms,
    };
    if (s->gateway->parts.tickets == NULL) {
        return (struct str){NULL, 0};
    }
    buf_reset(&text);
    if (!ticket_sign(s->gateway->parts.tickets, &ticket, &text) && log_limit_pass(&limit, 10)) {
        log_error("ticket_not_signed", LF("session", s->id), LF("user", s->identity->user_id),
                  LFS("resource", resource));
    }
    return (struct str){text.data, text.len};
}

static int64_t retry_after(const char *reason, const struct lock_view *lock, int64_t now_ms) {
    if (strcmp(reason, "RECOVERING") == 0) {
        return RETRY_RECOVERING_MS;
    }
    int64_t until = 0;
    if (lock != NULL && lock->state == LOCK_STATE_GRACE) {
        until = lock->grace_until_ms;
    }
    if (lock != NULL && lock->state == LOCK_STATE_RESERVED) {
        until = lock->reserved_until_ms;
    }
    return until > now_ms ? until - now_ms : 0;
}

void session_send_denied(struct session *s, struct membership *m, enum wire_request_kind kind,
                         const struct wire_ref *ref, const struct wire_at *at, const char *reason,
                         const struct lock_view *lock) {
    static struct log_limit limit;
    char error_ref[32];
    gateway_make_ref(s->gateway, error_ref);
    if (log_limit_pass(&limit, 600)) {
        log_info("lock_denied", LF("request", wire_request_name(kind)), LF("reason", reason),
                 LF("ref", error_ref), LF("session", s->id), LF("user", s->identity->user_id),
                 LFS("resource", at->resource));
    }
    struct wire_to to = session_to(ref, m->type->policy);
    struct wire_lock shown;
    bool owned = lock != NULL && lock_is_owned(lock);
    if (owned) {
        room_wire_lock(lock, -1, &shown);
    }
    metrics_add(METRIC_DENIED, 1, m->type->policy->type, reason);
    session_audit_denied(m, reason, error_ref, lock);
    session_send(s, wire_denied(&to, at, reason, owned ? &shown : NULL,
                                retry_after(reason, lock, at->server_time_ms), error_ref));
}

struct wire_message *session_acquired(struct session *s, struct membership *m,
                                      const struct wire_ref *ref, const struct wire_at *at,
                                      const struct lock_view *lock,
                                      const struct lock_ending *before, bool resumed) {
    static const struct lock_ending none;
    const struct lock_ending *end = before != NULL ? before : &none;
    struct wire_ending previous = {
        .person = {end->user_id, end->username},
        .reason = lock_cause_text(end->reason),
        .dirty = end->dirty,
        .revision = end->revision,
        .ended_ms = end->ended_ms,
    };
    membership_granted(m, lock, at->rev);
    struct wire_to to = session_to(ref, m->type->policy);
    return wire_acquired(&to, at, lock->token, lock->expires_ms, m->type->policy,
                         end->present ? &previous : NULL, resumed,
                         session_ticket(s, at->resource, lock, at->server_time_ms));
}

static void send_acquired(struct session *s, struct membership *m, const struct wire_ref *ref,
                          const struct wire_at *at, const struct lock_acquire_result *result) {
    session_send(s, session_acquired(s, m, ref, at, &result->common.lock, &result->previous,
                                     result->resumed));
    membership_check_lost(m, result->common.lock.token);
}

static void send_tab_limit(struct session *s, enum wire_request_kind kind,
                           const struct wire_ref *ref, const struct wire_at *at,
                           const struct lock_acquire_result *result) {
    struct wire_error_extra extra = {
        .resource = at->resource,
        .rev = at->rev,
        .limit = result->limit,
        .held = result->held,
        .held_count = result->held_count,
    };
    session_error(s, wire_request_name(kind), ref, WIRE_ERR_MAX_TAB_LOCKS_EXCEEDED,
                  "This user has reached the limit of locks in this document.", &extra);
}

static const char *denial(enum lock_outcome outcome) {
    static const char *const reasons[] = {
        [LOCK_OUT_HELD] = "HELD",
        [LOCK_OUT_HELD_BY_YOU] = "HELD_BY_YOU",
        [LOCK_OUT_GRACE] = "GRACE",
        [LOCK_OUT_RESERVED] = "RESERVED",
        [LOCK_OUT_RECOVERING] = "RECOVERING",
    };
    return (size_t)outcome < ARRAY_LEN(reasons) ? reasons[outcome] : NULL;
}

static void send_queued(struct session *s, struct membership *m, const struct wire_ref *ref,
                        const struct wire_at *at, const struct lock_acquire_result *result) {
    struct wire_to to = session_to(ref, m->type->policy);
    int64_t wait_ms = room_estimated_wait_ms(&m->sub, result->position, result->median_ms);
    room_note_position(&m->sub, result->position, at->rev);
    session_send(s, wire_queued(&to, at, result->position, wait_ms));
}

const char *session_queue_full(struct session *s, enum wire_request_kind kind,
                               const struct wire_ref *ref, const struct wire_at *at) {
    struct wire_error_extra extra = {.resource = at->resource, .rev = at->rev};
    session_error(s, wire_request_name(kind), ref, WIRE_ERR_QUEUE_FULL, "The queue is full.",
                  &extra);
    return wire_error_name(WIRE_ERR_QUEUE_FULL);
}

const char *session_answer_acquire(struct session *s, struct membership *m, const struct call *call,
                                   const struct wire_ref *ref,
                                   const struct lock_acquire_result *result) {
    struct wire_at at = session_at(call, &result->common);
    const char *reason = denial(result->common.outcome);
    if (reason != NULL) {
        session_send_denied(s, m, call->kind, ref, &at, reason, &result->common.lock);
        return reason;
    }
    if (result->common.outcome == LOCK_OUT_GRANTED) {
        send_acquired(s, m, ref, &at, result);
        return "ok";
    }
    if (result->common.outcome == LOCK_OUT_TAB_LIMIT) {
        send_tab_limit(s, call->kind, ref, &at, result);
        return wire_error_name(WIRE_ERR_MAX_TAB_LOCKS_EXCEEDED);
    }
    if (result->common.outcome == LOCK_OUT_QUEUED) {
        send_queued(s, m, ref, &at, result);
        return "queued";
    }
    if (result->common.outcome == LOCK_OUT_QUEUE_FULL) {
        return session_queue_full(s, call->kind, ref, &at);
    }
    if (result->common.outcome == LOCK_OUT_NOT_JOINED) {
        return session_room_gone(s, call, &result->common);
    }
    struct wire_error_extra extra = {.resource = at.resource, .rev = at.rev};
    session_error(s, wire_request_name(call->kind), ref, WIRE_ERR_INTERNAL,
                  "The store returned an unexpected answer.", &extra);
    return wire_error_name(WIRE_ERR_INTERNAL);
}
