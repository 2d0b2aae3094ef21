/*
 * A message from the client: decoded, counted against the rate, then checked by the row of its
 * command and handled. No handler repeats these checks.
 */
#include <string.h>

#include "audit.h"
#include "end.h"
#include "errors.h"
#include "handlers.h"
#include "liveness.h"
#include "registry.h"
#include "send.h"
#include "wslock/base/clock.h"
#include "wslock/metrics/metrics.h"

#define REFUSED_WINDOW_MS 10000 /* protocol §9, 4429: 100 refused messages in 10 s */
#define REFUSED_MAX 100
#define PINGS_PER_SECOND 2.0 /* livenessMs is at least 1 s */

struct command {
    session_handler *handle;
    bool before_auth; /* allowed without an accepted token */
    bool resource;    /* has a resource, whose type must be known */
    bool joined;      /* the session must be in the room */
    bool begins;      /* may start something that the audit must record; see audit.onFailure */
};

static const struct command commands[WIRE_REQ_COUNT] = {
    [WIRE_REQ_AUTH] = {handle_auth, true, false, false, false},
    [WIRE_REQ_AUTH_REFRESH] = {handle_refresh, false, false, false, false},
    [WIRE_REQ_PING] = {handle_ping, false, false, false, false},
    [WIRE_REQ_JOIN] = {handle_join, false, true, false, true},
    [WIRE_REQ_LEAVE] = {handle_leave, false, true, true, false},
    [WIRE_REQ_ACQUIRE] = {handle_acquire, false, true, true, true},
    [WIRE_REQ_HEARTBEAT] = {handle_heartbeat, false, true, true, false},
    [WIRE_REQ_RELEASE] = {handle_release, false, true, true, false},
    [WIRE_REQ_STATUS] = {handle_status, false, true, false, false},
    [WIRE_REQ_CLAIM] = {handle_acquire, false, true, true, true},
    [WIRE_REQ_QUEUE_LEAVE] = {handle_queue_leave, false, true, true, false},
    [WIRE_REQ_REQUEST] = {handle_request, false, true, true, true},
    [WIRE_REQ_REQUEST_REPLY] = {handle_reply, false, false, false, false},
    [WIRE_REQ_REQUEST_CANCEL] = {handle_cancel, false, false, false, false},
    [WIRE_REQ_TAKEOVER] = {handle_takeover, false, true, true, false},
    [WIRE_REQ_TAKEOVER_REPLY] = {handle_reply, false, false, false, false},
    [WIRE_REQ_TAKEOVER_CANCEL] = {handle_cancel, false, false, false, false},
};

/* event NULL: it is not known. */
static void refuse(struct session *s, const char *event, const struct wire_ref *ref,
                   enum wire_error_code code, const char *message,
                   const struct wire_error_extra *extra) {
    metrics_add(METRIC_REQUESTS, 1, event != NULL ? event : "other", wire_error_name(code));
    session_error(s, event, ref, code, message, extra);
}

/* False: refused with RATE_LIMITED. */
static bool within_rate(struct session *s, const char *event, const struct wire_ref *ref,
                        struct str resource) {
    const struct config *c = s->gateway->parts.config;
    double per_second = (double)c->limits.messages_per_second;
    if (rate_take(&s->rate, per_second, (double)c->limits.message_burst, clock_boot_us())) {
        return true;
    }
    uint64_t now_ms = clock_boot_ms();
    if (now_ms - s->refused_window_ms > REFUSED_WINDOW_MS) {
        s->refused_window_ms = now_ms;
        s->refused_count = 0;
    }
    struct wire_error_extra extra = {
        .resource = resource,
        .retry_after_ms = (int64_t)rate_wait_ms(&s->rate, per_second) + 1,
    };
    refuse(s, event, ref, WIRE_ERR_RATE_LIMITED, "Too many messages; this one was ignored.",
           &extra);
    if (++s->refused_count >= REFUSED_MAX) {
        session_close(s, WIRE_CLOSE_RATE_LIMITED);
    }
    return false;
}

/* session:ping has a rate of its own, so that it is not refused for other messages, nor they for
 * it. Beyond that rate it counts as any other message. */
static bool is_due_ping(struct session *s, const struct wire_request *r) {
    return r->kind == WIRE_REQ_PING &&
           rate_take(&s->ping_rate, PINGS_PER_SECOND, SESSION_PING_BURST, clock_boot_us());
}

static void dispatch_request(struct session *s, const struct wire_request *r) {
    const struct command *command = &commands[r->kind];
    const char *event = wire_request_name(r->kind);
    struct wire_error_extra extra = {0};
    if (command->resource) {
        extra.resource = wire_resource_str(&r->resource);
    }
    if (!is_due_ping(s, r) && !within_rate(s, event, &r->ref, extra.resource)) {
        return;
    }
    if (s->state == SESSION_AUTH && !command->before_auth) {
        refuse(s, event, &r->ref, WIRE_ERR_UNAUTHENTICATED,
               "Send auth with a valid token before anything else.", &extra);
        return;
    }
    /* A join as viewer acquires no lock. If the tab already has one, heartbeats still renew it. */
    bool begins = command->begins && (r->kind != WIRE_REQ_JOIN || r->editor);
    if (begins && session_audit_stops_all(s->gateway)) {
        refuse(s, event, &r->ref, WIRE_ERR_AUDIT_UNAVAILABLE,
               "The audit log cannot be written, so the server refuses requests for locks.",
               &extra);
        return;
    }
    const struct config_resource_type *type = NULL;
    struct membership *m = NULL;
    if (command->resource) {
        m = membership_find(s, extra.resource);
        /* A member of a room keeps its type, even if a reload removed the type. */
        type = m != NULL ? m->type
                         : config_types_find(s->gateway->types, wire_resource_type(&r->resource));
        if (type == NULL) {
            refuse(s, event, &r->ref, WIRE_ERR_UNKNOWN_RESOURCE_TYPE,
                   "This server has no such resource type.", &extra);
            return;
        }
    }
    if (command->joined && m == NULL) {
        refuse(s, event, &r->ref, WIRE_ERR_NOT_JOINED, "Join the resource first.", &extra);
        return;
    }
    /* A handler whose command does not require a membership gets NULL, also if there is one. */
    command->handle(s, r, command->joined ? m : NULL, type);
}

static void dispatch_error(struct session *s, const struct wire_decode_error *error) {
    const char *event = error->event[0] != '\0' ? error->event : NULL;
    struct wire_error_extra extra = {.resource = wire_resource_str(&error->resource),
                                     .field = error->field};
    if (!within_rate(s, event, &error->ref, extra.resource)) {
        return;
    }
    bool auth = event != NULL && strcmp(event, wire_request_name(WIRE_REQ_AUTH)) == 0;
    if (s->state == SESSION_READY && auth) {
        extra.field = "token";
        refuse(s, event, &error->ref, WIRE_ERR_INVALID_ARGUMENT,
               "This connection has been authenticated already.", &extra);
    } else if (s->state == SESSION_AUTH && !auth && error->code != WIRE_ERR_INVALID_MESSAGE) {
        refuse(s, event, &error->ref, WIRE_ERR_UNAUTHENTICATED,
               "Send auth with a valid token before anything else.", &extra);
    } else {
        refuse(s, event, &error->ref, error->code, error->message, &extra);
    }
}

static void refuse_namespace(struct session *s, struct str packet) {
    if (within_rate(s, NULL, NULL, (struct str){NULL, 0})) {
        session_send(s, wire_namespace_refused(packet));
    }
}

static void dispatch(struct session *s, struct str text) {
    struct wire_decode_options options = {
        .reject_two_parts = s->gateway->parts.config->reject_two_part_ids,
        .connected = s->state == SESSION_READY,
    };
    struct wire_request request;
    struct wire_decode_error error;
    switch (wire_decode(s->framing, text, &options, &request, &error)) {
    case WIRE_DECODED_REQUEST:
        dispatch_request(s, &request);
        wire_request_fini(&request);
        break;
    case WIRE_DECODED_ERROR:
        dispatch_error(s, &error);
        break;
    case WIRE_DECODED_DISCONNECT:
        session_leave(s);
        break;
    case WIRE_DECODED_NAMESPACE:
        refuse_namespace(s, text);
        break;
    case WIRE_DECODED_BROKEN:
        session_close(s, WIRE_CLOSE_BAD_FRAMING);
        break;
    }
}

/* No message has attachments. */
void session_on_binary(struct session *s, const void *bytes, size_t len) {
    (void)bytes;
    (void)len;
    session_close(s, WIRE_CLOSE_BAD_FRAMING);
}

void session_on_message(struct session *s, const char *text, size_t len) {
    if (!session_is_open(s)) {
        return;
    }
    lock_store_check_lease(s->gateway->store);
    session_heard(s);
    if (session_is_open(s)) /* system:degraded may have filled its queue */
    {
        dispatch(s, (struct str){text, len});
    }
}
