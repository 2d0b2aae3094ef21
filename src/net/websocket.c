/* An open WebSocket: messages, pings, and the close handshake. */
#include "websocket.h"

#include <assert.h>
#include <libwebsockets.h>
#include <stdio.h>

#include "conn.h"
#include "handshake.h"
#include "output.h"
#include "wslock/base/frame.h"
#include "wslock/base/mem.h"

#define CLOSE_TIMEOUT_MS 5000
#define CODE_NORMAL 1000
#define CODE_PROTOCOL_ERROR 1002
#define CODE_BAD_UTF8 1007

static_assert(FRAMES_HEADER_MAX <= FRAME_HEADROOM, "a frame has room for the WebSocket header");

/* A frame with a short payload. */
static bool put_control(struct conn *c, enum frames_opcode opcode, const void *payload,
                        size_t len) {
    unsigned char bytes[FRAMES_HEADER_MAX + FRAMES_CONTROL_MAX];
    assert(len <= FRAMES_CONTROL_MAX);
    memcpy(bytes + FRAMES_HEADER_MAX, payload, len);
    size_t header = frames_put_header(bytes + FRAMES_HEADER_MAX, opcode, len);
    return conn_write(c, bytes + FRAMES_HEADER_MAX - header, header + len);
}

/* ---- output ---- */

enum session_write websocket_write(struct conn *c, struct frame *frame) {
    if (c->closing || c->ending) {
        return SESSION_WRITE_DEAD;
    }
    if (conn_is_busy(c)) {
        return SESSION_WRITE_BUSY;
    }
    return conn_send_frame(c, frame) ? SESSION_WRITE_DONE : SESSION_WRITE_DEAD;
}

void websocket_send_short(struct conn *c, const char *text) {
    if (!c->closing && !c->ending) {
        put_control(c, FRAMES_TEXT, text, strlen(text));
    }
}

void websocket_want_write(struct conn *c) {
    lws_callback_on_writable(c->wsi);
}

void websocket_ping(struct conn *c) {
    if (c->closing || c->ending) {
        return;
    }
    c->ping_due = conn_is_busy(c);
    if (!c->ping_due) {
        put_control(c, FRAMES_PING, "p", 1);
    }
}

/* Called once for a connection. */
static void send_close(struct conn *c) {
    unsigned char payload[2 + sizeof c->close_reason];
    size_t len = strlen(c->close_reason);
    payload[0] = (unsigned char)(c->close_code >> 8);
    payload[1] = (unsigned char)c->close_code;
    memcpy(payload + 2, c->close_reason, len);
    c->close_sent = true;
    put_control(c, FRAMES_CLOSE, payload, c->close_code == 0 ? 0 : 2 + len);
}

/* Why the WebSocket ended. */
static enum session_end end_of(const struct conn *c) {
    if (c->peer_closed) {
        return c->peer_code == CODE_NORMAL ? SESSION_END_DONE : SESSION_END_CLIENT;
    }
    if (c->close_code == CODE_BAD_UTF8) {
        return SESSION_END_BAD_UTF8;
    }
    return c->close_code == CODE_PROTOCOL_ERROR ? SESSION_END_PROTOCOL_ERROR : SESSION_END_LOST;
}

void websocket_closed(struct conn *c) {
    const struct websocket_user *user = c->user;
    c->user = NULL;
    if (user != NULL) {
        user->on_closed(c, end_of(c));
    }
}

/* The connection ends after both close frames, or after ours if the client violated RFC 6455. */
static void check_end(struct conn *c) {
    if (!c->close_sent || conn_is_busy(c)) {
        return;
    }
    if (c->peer_closed) {
        conn_fail(c);
    } else if (c->broken) {
        websocket_closed(c);
        conn_drain(c);
    }
}

/* Sends our close frame when the socket can take it. CLOSE_TIMEOUT_MS limits the whole close. */
static void begin_close(struct conn *c, uint16_t code, const char *reason) {
    c->closing = true;
    c->close_code = code;
    snprintf(c->close_reason, sizeof c->close_reason, "%s", reason != NULL ? reason : "");
    conn_end_after(c, CLOSE_TIMEOUT_MS);
    if (!conn_is_busy(c)) {
        send_close(c);
    }
}

void websocket_close(struct conn *c, uint16_t code, const char *reason) {
    if (!c->closing && !c->ending) {
        begin_close(c, code, reason);
    }
}

void websocket_writable(struct conn *c) {
    if (c->ending && !c->peer_closed) {
        return;
    }
    if (c->closing) {
        if (!c->close_sent) {
            send_close(c);
        }
        check_end(c);
        return;
    }
    if (c->ping_due) {
        websocket_ping(c);
    }
    if (c->pong_due && !conn_is_busy(c)) {
        c->pong_due = false;
        put_control(c, FRAMES_PONG, c->pong, c->pong_len);
    }
    if (c->user != NULL) {
        c->user->on_writable(c);
    }
}

/* ---- opening ---- */

bool websocket_accept(struct conn *c, const char *protocol, const struct websocket_user *user) {
    char accept[HANDSHAKE_ACCEPT_BYTES], answer[256];
    handshake_accept(http_head_first(&c->head, "Sec-WebSocket-Key"), accept);
    int len = snprintf(answer, sizeof answer,
                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
                       accept, protocol != NULL ? "Sec-WebSocket-Protocol: " : "",
                       protocol != NULL ? protocol : "", protocol != NULL ? "\r\n" : "");
    wheel_cancel(&c->timer);
    c->settled = true;
    c->phase = CONN_WEBSOCKET;
    if (!conn_write(c, answer, (size_t)len)) {
        return false;
    }
    c->user = user;
    mem_free(c->cors);
    c->cors = NULL;
    return true;
}

/* ---- input ---- */

static void drop_received(struct conn *c) {
    buf_fini(&c->rx);
    buf_init(&c->rx);
    c->rx_whole = 0;
}

static void violate(struct conn *c, enum wire_close close) {
    drop_received(c);
    c->user->on_violation(c, close);
}

/* Before the close handshake is complete. */
static void tell_ending(struct conn *c) {
    if (c->user != NULL) {
        c->user->on_ending(c, end_of(c));
    }
}

/* The client violated RFC 6455. No message announces this close (protocol §9). */
static void break_off(struct conn *c, uint16_t code) {
    drop_received(c);
    c->broken = true;
    if (!c->closing) {
        begin_close(c, code, NULL);
    }
    tell_ending(c);
    check_end(c);
}

/* The user may close inside. The message must live until it returns. */
static void take_message(struct conn *c, bool binary) {
    struct buf whole = c->rx;
    const char *data = whole.len > 0 ? whole.data : "";
    buf_init(&c->rx);
    c->rx_whole = 0;
    if (binary) {
        c->user->on_binary(c, data, whole.len);
    } else {
        c->user->on_text(c, data, whole.len);
    }
    buf_fini(&whole);
}

/* A piece of a message that came in several. */
static void gather_piece(struct conn *c, const struct frames_piece *piece) {
    buf_append(&c->rx, piece->data, piece->len);
    if (!piece->binary && (!utf8_check(c->rx.data, c->rx.len, &c->rx_whole) ||
                           (piece->last && c->rx_whole < c->rx.len))) {
        break_off(c, CODE_BAD_UTF8);
    } else if (piece->last) {
        take_message(c, piece->binary);
    }
}

static void take_piece(struct conn *c, const struct frames_piece *piece) {
    size_t max = (size_t)c->net->parts.config->limits.max_message_bytes;
    if (c->closing || c->user == NULL) {
        return;
    }
    if (piece->binary && c->user->on_binary == NULL) {
        violate(c, WIRE_CLOSE_BINARY);
        return;
    }
    /* The length in the frame's header counts before the payload is received. */
    if (piece->left > max || c->rx.len + piece->len + piece->left > max) {
        violate(c, WIRE_CLOSE_TOO_BIG);
        return;
    }
    if (!piece->first || !piece->last) {
        gather_piece(c, piece);
    } else if (piece->binary) {
        c->user->on_binary(c, piece->data, piece->len);
    } else if (utf8_valid(piece->data, piece->len)) {
        c->user->on_text(c, piece->data, piece->len);
    } else {
        break_off(c, CODE_BAD_UTF8);
    }
}

/* Only the latest ping must be answered (RFC 6455 §5.5.3). */
static void answer_ping(struct conn *c) {
    if (c->closing) {
        return;
    }
    memcpy(c->pong, c->frames.control, c->frames.control_len);
    c->pong_len = c->frames.control_len;
    c->pong_due = conn_is_busy(c);
    if (!c->pong_due) {
        put_control(c, FRAMES_PONG, c->pong, c->pong_len);
    }
}

/* RFC 6455 §5.5.1: the payload is empty, or a code and a text. */
static void take_close(struct conn *c) {
    const unsigned char *payload = c->frames.control;
    size_t len = c->frames.control_len;
    unsigned code = len >= 2 ? (unsigned)(payload[0] << 8 | payload[1]) : 0;
    if (c->close_sent) {
        conn_fail(c); /* the answer to our close frame */
        return;
    }
    if (len == 1 || (len >= 2 && !frames_is_close_code(code))) {
        break_off(c, CODE_PROTOCOL_ERROR);
        return;
    }
    if (len > 2 && !utf8_valid((const char *)payload + 2, len - 2)) {
        break_off(c, CODE_BAD_UTF8);
        return;
    }
    c->ending = c->peer_closed = true;
    c->peer_code = (uint16_t)code;
    if (!c->closing) {
        begin_close(c, (uint16_t)code, NULL);
    }
    tell_ending(c);
    check_end(c);
}

static void take_control(struct conn *c) {
    switch (c->frames.opcode) {
    case FRAMES_PING:
        answer_ping(c);
        break;
    case FRAMES_PONG:
        if (c->user != NULL) {
            c->user->on_pong(c);
        }
        break;
    default:
        take_close(c);
        break;
    }
}

void websocket_receive(struct conn *c, char *data, size_t len) {
    struct frames_piece piece;
    while (c->phase == CONN_WEBSOCKET && !c->ending && !c->broken) {
        switch (frames_read(&c->frames, &data, &len, &piece)) {
        case FRAMES_MORE:
            return;
        case FRAMES_DATA:
            take_piece(c, &piece);
            break;
        case FRAMES_CONTROL:
            take_control(c);
            break;
        case FRAMES_ERROR:
            break_off(c, CODE_PROTOCOL_ERROR);
            break;
        }
    }
}
