/*
 * How a connection ends. Its rooms are left as soon as the end is known, before the connection has
 * closed: the other end may not answer any more.
 */
#include "end.h"

#include <stdio.h>

#include "audit.h"
#include "disconnect.h"
#include "key_wait.h"
#include "membership.h"
#include "queue.h"
#include "registry.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#define CODE_NORMAL 1000
#define CLOSE_FLUSH_MS 5000 /* for what is queued before the close frame */

/* What happens to its locks (protocol §7, §9). */
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
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        disconnect_start(m, kind, s->calls_open > 0);
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
    struct wire_to to = session_to(NULL, NULL);
    if (!session_takes_events(s)) {
        /* CONNECT_ERROR, if there was one, has said it; but only DISCONNECT keeps a client away. */
        return wire_close_reconnect(s->close) ||
               session_try_send(s, wire_session_closed(&to, s->close));
    }
    return s->close != WIRE_CLOSE_TOO_SLOW &&
           session_try_send(s, wire_session_closed(&to, s->close));
}

void session_close(struct session *s, enum wire_close close) {
    if (!session_is_open(s)) {
        return;
    }
    s->close_set = true;
    s->close = close;
    if (!announce(s)) {
        session_queue_clear(s); /* the client does not read it */
        if (wire_framing_connects(s->framing) && !wire_close_reconnect(close)) {
            (void)announce(s); /* a client of Socket.IO does not see the code */
        }
    }
    session_enter(s, SESSION_CLOSING);
    /* Not from here: a room may be sending to its members, this one included. */
    wheel_set(s->gateway->parts.wheel, &s->rooms_timer, 0, on_rooms_timer);
    if (list_empty(&s->queue)) {
        s->transport->close(s->conn, wire_close_code(close), wire_close_reason(close));
    } else {
        wheel_set(s->gateway->parts.wheel, &s->life_timer, CLOSE_FLUSH_MS, on_flush_deadline);
    }
}

void session_terminate(struct session *s,
                       void (*on_room_ended)(struct gateway *g, const char *session_id, bool ok)) {
    /* A slow reader gets at least session:closed and its lock:lost. */
    if (s->queue_bytes > (size_t)s->gateway->parts.config->limits.send_queue_bytes / 2) {
        session_queue_clear(s);
    }
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        if (m->token != 0) {
            room_tell_ended(&m->sub, m->token, LOCK_CAUSE_SESSION_TERMINATED);
        }
    }
    s->on_room_ended = on_room_ended;
    session_close(s, WIRE_CLOSE_TERMINATED);
    leave_rooms(s);
}

void session_on_violation(struct session *s, enum wire_close close) {
    session_close(s, close);
}

void session_on_ending(struct session *s, enum session_end end) {
    if (!session_is_open(s)) {
        return;
    }
    s->end = end;
    session_enter(s, SESSION_CLOSING);
    session_queue_clear(s);
    leave_rooms(s);
}

void session_leave(struct session *s) {
    session_on_ending(s, SESSION_END_DONE);
    s->transport->close(s->conn, CODE_NORMAL, "");
}

void session_free(struct session *s) {
    map_remove(s->gateway->sessions, str_of(s->id));
    s->gateway->framing_count[s->framing]--;
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        membership_destroy(m);
    }
    wheel_cancel(&s->life_timer);
    wheel_cancel(&s->ping_timer);
    wheel_cancel(&s->rooms_timer);
    session_queue_clear(s);
    key_wait_end(s);
    if (s->identity != NULL) {
        gateway_uncount_user(s);
    }
    auth_identity_destroy(&s->identity);
    session_drop_offer(s);
    mem_free(s->address);
    mem_free(s->user_agent);
    mem_free(s);
}

void session_init_closed_metric(void) {
    static const char *const reasons[] = {
#define WIRE_CLOSE(id, code, reason, reconnect, lock) reason,
#define WIRE_END(id, reason, lock) reason,
#include "wslock/wire/tables.def"
#undef WIRE_CLOSE
#undef WIRE_END
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        metrics_add(METRIC_CLOSED, 0, reasons[i], NULL);
    }
}

void session_on_closed(struct session *s, enum session_end end, uint16_t close_code) {
    char code[32];
    if (s->state != SESSION_CLOSING) {
        s->end = end;
    }
    snprintf(code, sizeof code, "%u", (unsigned)close_code);
    const char *reason = end_reason(s);
    bool by_client = !s->close_set && (s->end == SESSION_END_CLIENT || s->end == SESSION_END_DONE);
    metrics_add(METRIC_CLOSED, 1, reason, NULL);
    log_debug("session_closed", LF("session", s->id),
              LF("user", s->identity != NULL ? s->identity->user_id : ""),
              LF("framing", wire_framing_name(s->framing)),
              LF("transport", s->transport->name(s->conn)), LF("reason", reason), LF("code", code));
    session_enter(s, SESSION_GONE);
    if (s->identity != NULL) {
        session_audit_session(s, AUDIT_SESSION_CLOSED, by_client && close_code ? code : reason);
    }
    leave_rooms(s);
    session_free(s);
}
