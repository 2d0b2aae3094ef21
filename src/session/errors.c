/* Errors, as an answer or as an event. */
#include "errors.h"

#include "registry.h"
#include "send.h"
#include "wslock/base/log.h"
#include "wslock/metrics/metrics.h"

void session_error(struct session *s, const char *request, const struct wire_ref *ref,
                   enum wire_error_code code, const char *message,
                   const struct wire_error_extra *extra) {
    static struct log_limit limit;
    char error_ref[32];
    gateway_make_ref(s->gateway, error_ref);
    if (log_limit_pass(&limit, 600)) {
        log_info("request_refused", LF("request", request != NULL ? request : "-"),
                 LF("code", wire_error_name(code)), LF("ref", error_ref), LF("session", s->id),
                 LF("user", s->identity != NULL ? s->identity->user_id : ""),
                 LFS("resource", extra != NULL ? extra->resource : str_of("")));
    }
    struct wire_error_extra full = extra != NULL ? *extra : (struct wire_error_extra){0};
    if (full.resource.len > 0 && full.rev == 0) {
        full.rev = lock_store_rev(s->gateway->store, full.resource);
    }
    struct wire_to to = session_to(ref, NULL);
    session_send(s, wire_error(&to, code, message, error_ref, &full));
}

void session_refuse(struct session *s, enum wire_request_kind kind, const struct wire_ref *ref,
                    enum wire_error_code code, const char *message,
                    const struct wire_error_extra *extra) {
    metrics_add(METRIC_REQUESTS, 1, wire_request_name(kind), wire_error_name(code));
    session_error(s, wire_request_name(kind), ref, code, message, extra);
}

const char *session_answer_error(struct session *s, const struct call *call,
                                 const struct lock_result *result, enum wire_error_code code,
                                 const char *message) {
    struct wire_error_extra extra = call_error_extra(call, result->rev);
    session_error(s, wire_request_name(call->kind), &call->ref, code, message, &extra);
    return wire_error_name(code);
}

const char *session_unavailable(struct session *s, const struct call *call) {
    const struct config *c = s->gateway->parts.config;
    struct wire_error_extra extra = call_error_extra(call, 0);
    extra.retry_after_ms = c->redis.command_timeout_ms;
    session_error(s, wire_request_name(call->kind), &call->ref, WIRE_ERR_BACKEND_UNAVAILABLE,
                  "The store is unavailable; the request may or may not have been carried out.",
                  &extra);
    return wire_error_name(WIRE_ERR_BACKEND_UNAVAILABLE);
}

bool session_failed(struct session *s, const struct call *call, const struct lock_result *result) {
    if (result->status == LOCK_OK) {
        return false;
    }
    static struct log_limit limit;
    if (log_limit_pass(&limit, 60)) {
        log_warn("store_call_failed", LF("request", wire_request_name(call->kind)),
                 LF("session", s->id), LF("user", s->identity->user_id),
                 LFS("resource", wire_resource_str(&call->resource)), LF("error", result->error));
    }
    (void)session_unavailable(s, call);
    return true;
}

const char *session_room_gone(struct session *s, const struct call *call,
                              const struct lock_result *result) {
    if (session_failed(s, call, result)) {
        return wire_error_name(WIRE_ERR_BACKEND_UNAVAILABLE);
    }
    return session_answer_error(s, call, result, WIRE_ERR_NOT_JOINED,
                                "This connection is not in the room.");
}

const char *session_other_answer(struct session *s, const struct call *call,
                                 const struct lock_result *result) {
    if (result->outcome == LOCK_OUT_RECOVERING) {
        return session_unavailable(s, call);
    }
    if (result->outcome == LOCK_OUT_NOT_JOINED) {
        return session_room_gone(s, call, result);
    }
    if (result->outcome == LOCK_OUT_UNKNOWN_REQUEST) {
        return session_answer_error(s, call, result, WIRE_ERR_UNKNOWN_REQUEST,
                                    "There is no open request or takeover with this requestId.");
    }
    if (result->outcome == LOCK_OUT_NOT_HOLDER) {
        return session_answer_error(s, call, result, WIRE_ERR_NOT_HOLDER,
                                    "This tab does not hold the lock.");
    }
    return session_answer_error(s, call, result, WIRE_ERR_INTERNAL,
                                "The store returned an unexpected answer.");
}
