/*
 * How a connection ends. Its rooms are left as soon as the end is known; the connection itself may
 * take its time, for at its other end nobody may be there any more.
 */
#include "private.h"

#include <stdio.h>

#include "wslock/base/log.h"
#include "wslock/metrics/metrics.h"

#define CLOSE_FLUSH_MS 5000 /* for what is queued before the close frame */

/* Protocol §6: what becomes of its locks. */
static enum lock_disconnect disconnect_kind(const struct session *s) {
    static const enum lock_disconnect of_close[] = {
#define WIRE_CLOSE(id, code, reason, reconnect, lock) [WIRE_CLOSE_##id] = LOCK_DISCONNECT_##lock,
#include "wslock/wire/tables.def"
#undef WIRE_CLOSE
    };
    static const enum lock_disconnect of_end[] = {
#define WIRE_END(id, reason, lock) [SESSION_END_##id] = LOCK_DISCONNECT_##lock,
#include "wslock/wire/tables.def"
#undef WIRE_END
    };
    return s->close_set ? of_close[s->close] : of_end[s->end];
}

static const char *end_reason(const struct session *s) {
    static const char *const of_end[] = {
#define WIRE_END(id, reason, lock) [SESSION_END_##id] = reason,
#include "wslock/wire/tables.def"
#undef WIRE_END
    };
    return s->close_set ? wire_close_reason(s->close) : of_end[s->end];
}

static void leave_rooms(struct session *s) {
    enum lock_disconnect kind = disconnect_kind(s);
    wheel_cancel(&s->rooms_timer);
    LIST_FOREACH_SAFE(it, tmp, &s->memberships) {
        struct membership *m = CONTAINER_OF(it, struct membership, node);
        farewell_start(m, kind, s->calls_open > 0);
        membership_destroy(m);
    }
}

static void on_rooms_timer(struct wheel_timer *timer) {
    leave_rooms(CONTAINER_OF(timer, struct session, rooms_timer));
}

static void on_flush_deadline(struct wheel_timer *timer) {
    struct session *s = CONTAINER_OF(timer, struct session, life_timer);
    session_queue_clear(s);
    s->transport->close(s->conn, wire_close_code(s->close), wire_close_reason(s->close));
}

static bool announce(struct session *s) {
    struct wire_to to = session_to(s, NULL, NULL);
    return s->close != WIRE_CLOSE_TOO_SLOW &&
           session_try_send(s, wire_session_closed(&to, s->close));
}

void session_close(struct session *s, enum wire_close close) {
    if (s->state == SESSION_CLOSING || s->state == SESSION_GONE)
        return;
    s->close_set = true;
    s->close = close;
    if (!announce(s))
        session_queue_clear(s); /* nor would it take what comes before */
    session_enter(s, SESSION_CLOSING);
    /* Not from here: a room may be telling its members something, this one among them. */
    wheel_set(s->gateway->parts.wheel, &s->rooms_timer, 0, on_rooms_timer);
    if (list_empty(&s->queue))
        s->transport->close(s->conn, wire_close_code(close), wire_close_reason(close));
    else
        wheel_set(s->gateway->parts.wheel, &s->life_timer, CLOSE_FLUSH_MS, on_flush_deadline);
}

void session_terminate(struct session *s) {
    /* Who reads slowly is told at least this. */
    if (s->queue_bytes > (size_t)s->gateway->parts.config->limits.send_queue_bytes / 2)
        session_queue_clear(s);
    LIST_FOREACH_SAFE(it, tmp, &s->memberships) {
        struct membership *m = CONTAINER_OF(it, struct membership, node);
        if (m->token != 0)
            room_tell_ended(&m->sub, m->token, LOCK_CAUSE_SESSION_TERMINATED);
    }
    session_close(s, WIRE_CLOSE_TERMINATED);
    leave_rooms(s);
}

void session_on_ending(struct session *s, enum session_end end) {
    if (s->state == SESSION_CLOSING || s->state == SESSION_GONE)
        return;
    s->end = end;
    session_enter(s, SESSION_CLOSING);
    session_queue_clear(s);
    leave_rooms(s);
}

void session_on_closed(struct session *s, enum session_end end, uint16_t close_code) {
    char code[32];
    if (s->state != SESSION_CLOSING)
        s->end = end;
    snprintf(code, sizeof code, "%u", (unsigned)close_code);
    const char *reason = end_reason(s);
    bool by_client = !s->close_set && (s->end == SESSION_END_CLIENT || s->end == SESSION_END_DONE);
    metrics_add(METRIC_CLOSED, 1, reason, NULL);
    log_debug("session_closed", LF("session", s->id), LF("reason", reason), LF("code", code));
    session_enter(s, SESSION_GONE);
    if (s->identity)
        trail_session(s, AUDIT_SESSION_CLOSED, by_client && close_code ? code : reason);
    leave_rooms(s);
    session_free(s);
}

static void close_now(void *ctx, struct str id, void *value) {
    (void)ctx;
    (void)id;
    struct session *s = value;
    session_close(s, WIRE_CLOSE_GOING_AWAY);
    session_queue_clear(s);
    s->transport->close(s->conn, wire_close_code(s->close), wire_close_reason(s->close));
}

void gateway_close_all(struct gateway *g) {
    map_each(g->sessions, close_now, NULL);
}
