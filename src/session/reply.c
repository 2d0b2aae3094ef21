/* What a client is told in answer, from the typed result of a script. */
#include "private.h"

#include "wslock/base/log.h"
#include "wslock/metrics/metrics.h"

#define RETRY_RECOVERING_MS 1000

struct wire_to session_to(const struct session *s, const struct wire_ref *ref,
                          const struct config_policy *policy) {
    (void)s;
    struct wire_to to = {
        .ref = ref && ref->len ? ref : NULL,
        .minimal = policy && policy->presence == CONFIG_PRESENCE_MINIMAL,
    };
    return to;
}

void session_error(struct session *s, const struct wire_ref *ref, enum wire_error_code code,
                   const char *message, const struct wire_error_extra *extra) {
    static struct log_limit limit;
    char error_ref[32];
    gateway_make_ref(s->gateway, error_ref);
    if (log_limit_pass(&limit, 600))
        log_info("request_refused", LF("code", wire_error_name(code)), LF("ref", error_ref),
                 LF("session", s->id), LF("user", s->identity ? s->identity->user_id : ""),
                 LFS("resource", extra ? extra->resource : str_of("")));
    struct wire_error_extra told = extra ? *extra : (struct wire_error_extra){0};
    if (told.resource.len > 0 && told.rev == 0)
        told.rev = lock_store_rev(s->gateway->store, told.resource);
    struct wire_to to = session_to(s, ref, NULL);
    session_send(s, wire_error(&to, code, message, error_ref, &told));
}

void session_refuse(struct session *s, enum wire_request_kind kind, const struct wire_ref *ref,
                    enum wire_error_code code, const char *message,
                    const struct wire_error_extra *extra) {
    metrics_add(METRIC_REQUESTS, 1, wire_request_name(kind), wire_error_name(code));
    session_error(s, ref, code, message, extra);
}

struct wire_at session_at(const struct call *call, const struct lock_result *result) {
    struct wire_at at = {wire_resource_str(&call->resource), result->rev, result->now_ms};
    return at;
}

struct wire_at session_at_now(const struct membership *m) {
    struct lock_store *store = m->session->gateway->store;
    struct str resource = wire_resource_str(&m->resource);
    return (struct wire_at){resource, room_rev(&m->sub), lock_store_now_ms(store)};
}

void session_unavailable(struct session *s, const struct call *call) {
    const struct config *c = s->gateway->parts.config;
    struct wire_error_extra extra = call_error_extra(call, 0);
    extra.retry_after_ms = c->redis.command_timeout_ms;
    session_error(s, &call->ref, WIRE_ERR_BACKEND_UNAVAILABLE,
                  "The store is away or did not answer; whether it was carried out is not known.",
                  &extra);
}

bool session_failed(struct session *s, const struct call *call, const struct lock_result *result) {
    if (result->status == LOCK_OK)
        return false;
    static struct log_limit limit;
    if (log_limit_pass(&limit, 60))
        log_warn("store_call_failed", LF("request", wire_request_name(call->kind)),
                 LF("session", call->session_id), LF("error", result->error));
    session_unavailable(s, call);
    return true;
}

const char *session_room_gone(struct session *s, const struct call *call,
                              const struct lock_result *result) {
    if (session_failed(s, call, result))
        return wire_error_name(WIRE_ERR_BACKEND_UNAVAILABLE);
    struct wire_error_extra extra = call_error_extra(call, result->rev);
    session_error(s, &call->ref, WIRE_ERR_NOT_JOINED, "This connection is not in the room.",
                  &extra);
    return wire_error_name(WIRE_ERR_NOT_JOINED);
}

static int64_t retry_after(const char *reason, const struct lock_view *lock, int64_t now_ms) {
    if (strcmp(reason, "RECOVERING") == 0)
        return RETRY_RECOVERING_MS;
    int64_t until = 0;
    if (lock && lock->state == LOCK_STATE_GRACE)
        until = lock->grace_until_ms;
    if (lock && lock->state == LOCK_STATE_RESERVED)
        until = lock->reserved_until_ms;
    return until > now_ms ? until - now_ms : 0;
}

void session_tell_denied(struct session *s, struct membership *m, const struct wire_ref *ref,
                         const struct wire_at *at, const char *reason,
                         const struct lock_view *lock) {
    char error_ref[32];
    gateway_make_ref(s->gateway, error_ref);
    struct wire_to to = session_to(s, ref, m->policy);
    struct wire_lock shown;
    bool held = lock && lock_is_owned(lock);
    if (held)
        room_wire_lock(lock, -1, &shown);
    metrics_add(METRIC_DENIED, 1, m->policy->type, reason);
    trail_denied(m, reason, error_ref, lock);
    session_send(s, wire_denied(&to, at, reason, held ? &shown : NULL,
                                retry_after(reason, lock, at->server_time_ms), error_ref));
}

struct wire_message *session_acquired(struct session *s, struct membership *m,
                                      const struct wire_ref *ref, const struct wire_at *at,
                                      const struct lock_view *lock,
                                      const struct lock_ending *before, bool resumed) {
    struct wire_ending previous = {
        .person = {before->user_id, before->username},
        .reason = lock_cause_text(before->reason),
        .dirty = before->dirty,
        .revision = before->revision,
        .ended_ms = before->ended_ms,
    };
    membership_granted(m, lock, at->rev);
    struct wire_to to = session_to(s, ref, m->policy);
    return wire_acquired(&to, at, lock->token, lock->expires_ms, m->policy,
                         before->present ? &previous : NULL, resumed,
                         session_ticket(s, at->resource, lock, at->server_time_ms));
}

static void tell_acquired(struct session *s, struct membership *m, const struct wire_ref *ref,
                          const struct wire_at *at, const struct lock_result *result) {
    session_send(
        s, session_acquired(s, m, ref, at, &result->lock, &result->previous, result->resumed));
    membership_check_lost(m, result->lock.token);
}

static void tell_tab_limit(struct session *s, const struct wire_ref *ref, const struct wire_at *at,
                           const struct lock_result *result) {
    struct wire_error_extra extra = {
        .resource = at->resource,
        .rev = at->rev,
        .limit = result->limit,
        .held = result->held,
        .held_count = result->held_count,
    };
    session_error(s, ref, WIRE_ERR_MAX_TAB_LOCKS_EXCEEDED,
                  "This user edits as many parts of the document as the limit allows.", &extra);
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

static void tell_queued(struct session *s, struct membership *m, const struct wire_ref *ref,
                        const struct wire_at *at, const struct lock_result *result) {
    struct wire_to to = session_to(s, ref, m->policy);
    int64_t wait_ms = room_estimated_wait_ms(&m->sub, result->position, result->median_ms);
    room_note_position(&m->sub, result->position, at->rev);
    session_send(s, wire_queued(&to, at, result->position, wait_ms));
}

const char *session_full_queue(struct session *s, const struct wire_ref *ref,
                               const struct wire_at *at) {
    struct wire_error_extra extra = {.resource = at->resource, .rev = at->rev};
    session_error(s, ref, WIRE_ERR_QUEUE_FULL, "As many wait already as the limit allows.", &extra);
    return wire_error_name(WIRE_ERR_QUEUE_FULL);
}

const char *session_tell_acquire(struct session *s, struct membership *m, const struct call *call,
                                 const struct wire_ref *ref, const struct lock_result *result) {
    struct wire_at at = session_at(call, result);
    const char *reason = denial(result->outcome);
    if (reason) {
        session_tell_denied(s, m, ref, &at, reason, &result->lock);
        return reason;
    }
    if (result->outcome == LOCK_OUT_GRANTED) {
        tell_acquired(s, m, ref, &at, result);
        return "ok";
    }
    if (result->outcome == LOCK_OUT_TAB_LIMIT) {
        tell_tab_limit(s, ref, &at, result);
        return wire_error_name(WIRE_ERR_MAX_TAB_LOCKS_EXCEEDED);
    }
    if (result->outcome == LOCK_OUT_QUEUED) {
        tell_queued(s, m, ref, &at, result);
        return "queued";
    }
    if (result->outcome == LOCK_OUT_QUEUE_FULL)
        return session_full_queue(s, ref, &at);
    if (result->outcome == LOCK_OUT_NOT_JOINED)
        return session_room_gone(s, call, result);
    struct wire_error_extra extra = {.resource = at.resource, .rev = at.rev};
    session_error(s, ref, WIRE_ERR_INTERNAL, "The store gave an answer that was not asked for.",
                  &extra);
    return wire_error_name(WIRE_ERR_INTERNAL);
}
