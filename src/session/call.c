/* The context of an asynchronous request. */
#include "call.h"

#include <string.h>

#include "audit_events.h"
#include "registry.h"
#include "wslock/base/clock.h"
#include "wslock/base/spare.h"
#include "wslock/metrics/metrics.h"

struct call *call_begin(struct session *s, const struct wire_request *r, struct membership *m,
                        const struct config_resource_type *type) {
    struct call *call = spare_alloc(sizeof *call);
    call->gateway = s->gateway;
    memcpy(call->session_id, s->id, sizeof call->session_id);
    call->kind = r->kind;
    call->ref = r->ref;
    call->resource = m != NULL ? m->resource : r->resource;
    call->names_resource = wire_resource_str(&r->resource).len > 0;
    call->type = type;
    call->member_seq = m != NULL ? m->seq : 0;
    call->started_us = clock_boot_us();
    call->refused_editor = false;
    call->token = r->token;
    call->request_id[0] = '\0';
    call->action = r->action;
    s->calls_open++;
    return call;
}

struct call *call_begin_request(struct session *s, const struct wire_request *r,
                                struct membership *m, struct str request_id) {
    struct call *call = call_begin(s, r, m, m->type);
    memcpy(call->request_id, request_id.p, request_id.len);
    call->request_id[request_id.len] = '\0';
    return call;
}

struct session *call_result(struct call *call, const struct lock_result *result) {
    struct session *s = gateway_session(call->gateway, call->session_id);
    if (s != NULL) {
        s->calls_open--;
        s = s->state == SESSION_READY ? s : NULL;
    }
    session_audit_events(call->gateway, s, result);
    return s;
}

struct membership *call_membership(struct call *call, struct session *s) {
    return membership_by_seq(s, call->member_seq);
}

struct wire_error_extra call_error_extra(const struct call *call, int64_t rev) {
    struct wire_error_extra extra = {0};
    if (call->names_resource) {
        extra.resource = wire_resource_str(&call->resource);
        extra.rev = rev;
    }
    return extra;
}

void call_end(struct call *call, const char *outcome) {
    const char *event = wire_request_name(call->kind);
    double seconds = (double)(clock_boot_us() - call->started_us) / 1e6;
    metrics_add(METRIC_REQUESTS, 1, event, outcome);
    metrics_observe(METRIC_REQUEST_SECONDS, seconds, event);
    spare_free(call, sizeof *call);
}
