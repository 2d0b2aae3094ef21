#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>

#include "http.h"
#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

/* The opcode that libwebsockets has for itself; its public header leaves the number out. */
#define WRITE_CLOSE ((enum lws_write_protocol)4)

static_assert(LWS_PRE <= FRAME_HEADROOM, "a frame has room for the WebSocket header");

static void on_handshake_timeout(struct wheel_timer *timer) {
    struct conn *c = CONTAINER_OF(timer, struct conn, timer);
    c->settled = true;
    metrics_add(METRIC_REFUSED, 1, "timeout", NULL);
    conn_kill(c);
}

static void on_close_timeout(struct wheel_timer *timer) {
    conn_kill(CONTAINER_OF(timer, struct conn, timer));
}

struct conn *conn_create(struct net *n, struct lws *wsi) {
    struct conn *c = mem_zalloc(sizeof *c);
    c->net = n;
    c->wsi = wsi;
    c->listener = n->incoming.listener;
    c->peer = n->incoming.peer;
    c->handshake_counted = n->incoming.handshake_counted;
    c->place = n->incoming.place;
    n->incoming.place = (struct admit_place){NULL, false};
    n->incoming.listener = NULL;
    buf_init(&c->rx);
    wheel_timer_init(&c->timer);
    wheel_set(n->parts.wheel, &c->timer, NET_HANDSHAKE_TIMEOUT_MS, on_handshake_timeout);
    list_push_back(&n->conns, &c->node);
    c->listener->count++;
    if (c->listener->kind == LISTENER_PUBLIC)
        n->public_count++;
    return c;
}

void conn_destroy(struct conn *c) {
    struct net *n = c->net;
    assert(c->session == NULL);
    wheel_cancel(&c->timer);
    if (!c->settled && !n->draining && c->listener->kind == LISTENER_PUBLIC)
        metrics_add(METRIC_REFUSED, 1, "unread", NULL);
    admit_leave(n->admit, &c->place, clock_boot_us());
    auth_identity_destroy(&c->identity);
    buf_fini(&c->rx);
    list_remove(&c->node);
    c->listener->count--;
    if (c->listener->kind == LISTENER_PUBLIC)
        n->public_count--;
    mem_free(c);
}

/* With the socket shut down, whatever libwebsockets still wants to flush fails at once. */
void conn_kill(struct conn *c) {
    shutdown(lws_get_socket_fd(c->wsi), SHUT_RDWR);
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

/* ---- the session's side: transport ---- */

static void fail(struct conn *c) {
    c->ending = true;
    wheel_set(c->net->parts.wheel, &c->timer, 0, on_close_timeout);
}

static enum session_write transport_write(void *conn, struct frame *frame) {
    struct conn *c = conn;
    if (c->closing || c->ending)
        return SESSION_WRITE_DEAD;
    if (lws_partial_buffered(c->wsi))
        return SESSION_WRITE_BUSY;
    if (lws_write(c->wsi, frame_payload(frame), frame->len, LWS_WRITE_TEXT) < 0) {
        fail(c);
        return SESSION_WRITE_DEAD;
    }
    return SESSION_WRITE_DONE;
}

static void transport_want_write(void *conn) {
    struct conn *c = conn;
    lws_callback_on_writable(c->wsi);
}

/* With a payload: libwebsockets tells nobody of an empty pong. */
static void send_ping(struct conn *c) {
    unsigned char bytes[LWS_PRE + 1] = {[LWS_PRE] = 'p'};
    c->ping_due = false;
    if (lws_write(c->wsi, bytes + LWS_PRE, 1, LWS_WRITE_PING) < 0)
        fail(c);
}

static void transport_ping(void *conn) {
    struct conn *c = conn;
    if (c->closing || c->ending)
        return;
    if (!lws_partial_buffered(c->wsi)) {
        send_ping(c);
        return;
    }
    c->ping_due = true;
    lws_callback_on_writable(c->wsi);
}

/* A close frame of our own: libwebsockets' way to one, lws_close_reason and -1 from the callback,
 * loses it in builds with its debugging and libuv (Debian 12's), which close twice. */
static void send_close(struct conn *c) {
    unsigned char bytes[LWS_PRE + 2 + sizeof c->close_reason], *p = bytes + LWS_PRE;
    size_t len = strlen(c->close_reason);
    p[0] = (unsigned char)(c->close_code >> 8);
    p[1] = (unsigned char)c->close_code;
    memcpy(p + 2, c->close_reason, len);
    c->close_sent = true;
    if (lws_write(c->wsi, p, 2 + len, WRITE_CLOSE) < 0)
        fail(c);
}

static void transport_close(void *conn, uint16_t code, const char *reason) {
    struct conn *c = conn;
    if (c->closing)
        return;
    c->closing = true;
    c->close_code = code;
    snprintf(c->close_reason, sizeof c->close_reason, "%s", reason != NULL ? reason : "");
    /* If the client has begun to close, or reads nothing, this is the end of it. */
    wheel_set(c->net->parts.wheel, &c->timer, c->ending ? 0 : NET_CLOSE_TIMEOUT_MS,
              on_close_timeout);
    if (c->ending)
        return;
    if (lws_partial_buffered(c->wsi))
        lws_callback_on_writable(c->wsi);
    else
        send_close(c);
}

const struct session_transport net_transport = {
    .write = transport_write,
    .want_write = transport_want_write,
    .ping = transport_ping,
    .close = transport_close,
};

/* ---- libwebsockets' side ---- */

int conn_open_session(struct conn *c) {
    char address[ADDRESS_TEXT_MAX];
    wheel_cancel(&c->timer);
    c->settled = true;
    address_format(&c->peer, address);
    struct session_peer peer = {str_of(address), str_of(c->net->user_agent)};
    struct auth_identity *identity = c->identity;
    c->identity = NULL;
    c->session =
        session_open(c->net->gateway, &net_transport, c, &peer, WIRE_FRAMING_NATIVE, identity);
    return c->session == NULL ? -1 : 0;
}

static void drop_received(struct conn *c) {
    buf_fini(&c->rx);
    buf_init(&c->rx);
    c->rx_whole = 0;
}

static void violate(struct conn *c, enum wire_close close) {
    drop_received(c);
    session_on_violation(c->session, close);
}

/* What the WebSocket itself forbids is not announced (protocol §7). */
static void break_off(struct conn *c, enum lws_close_status code) {
    drop_received(c);
    transport_close(c, (uint16_t)code, NULL);
    if (c->session != NULL)
        session_on_ending(c->session, conn_end(c));
}

/* UTF-8 is checked here: libwebsockets' own check takes a pong between two fragments for text. */
void conn_receive(struct conn *c, const char *data, size_t len) {
    size_t max = (size_t)c->net->parts.config->limits.max_message_bytes;
    bool first = lws_is_first_fragment(c->wsi) != 0, final = lws_is_final_fragment(c->wsi) != 0;
    if (c->closing || c->session == NULL)
        return;
    if (lws_frame_is_binary(c->wsi)) {
        violate(c, WIRE_CLOSE_BINARY);
        return;
    }
    if (first) {
        buf_reset(&c->rx);
        c->rx_whole = 0;
    }
    /* What the frame's header has announced counts before it has come. */
    if (c->rx.len + len + lws_remaining_packet_payload(c->wsi) > max) {
        violate(c, WIRE_CLOSE_TOO_BIG);
        return;
    }
    if (first && final) {
        if (utf8_valid(data, len))
            session_on_message(c->session, len > 0 ? data : "", len);
        else
            break_off(c, LWS_CLOSE_STATUS_INVALID_PAYLOAD);
        return;
    }
    buf_append(&c->rx, data, len);
    if (!utf8_check(c->rx.data, c->rx.len, &c->rx_whole) || (final && c->rx_whole < c->rx.len)) {
        break_off(c, LWS_CLOSE_STATUS_INVALID_PAYLOAD);
        return;
    }
    if (!final)
        return;
    /* The session may be closed inside; the bytes stay ours until it returns. */
    struct buf whole = c->rx;
    buf_init(&c->rx);
    c->rx_whole = 0;
    session_on_message(c->session, whole.len > 0 ? whole.data : "", whole.len);
    buf_fini(&whole);
}

void conn_writable(struct conn *c) {
    if (lws_partial_buffered(c->wsi) || c->ending || c->close_sent)
        return;
    if (c->closing) {
        send_close(c);
        return;
    }
    if (c->ping_due)
        send_ping(c);
    if (c->session != NULL)
        session_on_writable(c->session);
}

/* RFC 6455 §5.5.1: an empty payload, or a code and a text. */
int conn_peer_closes(struct conn *c, const unsigned char *payload, size_t len) {
    if (c->close_sent)
        return -1;
    if (len == 1 || (len > 2 && !utf8_valid((const char *)payload + 2, len - 2))) {
        break_off(c, len == 1 ? LWS_CLOSE_STATUS_PROTOCOL_ERR : LWS_CLOSE_STATUS_INVALID_PAYLOAD);
        return -1;
    }
    c->ending = c->peer_closed = true;
    if (len >= 2)
        c->peer_code = (uint16_t)(payload[0] << 8 | payload[1]);
    wheel_set(c->net->parts.wheel, &c->timer, NET_CLOSE_TIMEOUT_MS, on_close_timeout);
    if (c->session != NULL)
        session_on_ending(c->session, conn_end(c));
    return 0;
}

/* The close frame that libwebsockets made itself is kept where a client's would be. */
enum session_end conn_end(const struct conn *c) {
    const unsigned char *payload = lws_get_close_payload(c->wsi);
    int code = c->close_code;
    if (c->peer_closed)
        return c->peer_code == LWS_CLOSE_STATUS_NORMAL ? SESSION_END_DONE : SESSION_END_CLIENT;
    if (code == 0 && lws_get_close_length(c->wsi) >= 2)
        code = payload[0] << 8 | payload[1];
    if (code == LWS_CLOSE_STATUS_INVALID_PAYLOAD)
        return SESSION_END_BAD_UTF8;
    return code == LWS_CLOSE_STATUS_PROTOCOL_ERR ? SESSION_END_PROTOCOL_ERROR : SESSION_END_LOST;
}

void conn_closed(struct conn *c, enum session_end end) {
    struct session *s = c->session;
    wheel_cancel(&c->timer);
    http_call_abandon(c);
    c->ending = true;
    c->session = NULL;
    if (s != NULL)
        session_on_closed(s, end, c->peer_code);
}
