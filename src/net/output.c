/*
 * Writes to the socket without libwebsockets. While libwebsockets buffers output, it does not read
 * from the socket, and the messages of a client that reads slowly would be delayed. All frames of a
 * turn of the loop are sent to a connection in one write at its end, over TLS as one record. In a
 * long turn (libuv handles up to 49,152 events in one) they are also sent before, and the requests
 * to the store with them: their time would run out before they are sent.
 */
#include "output.h"

#include <errno.h>
#include <libwebsockets.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "conn.h"
#include "wslock/base/clock.h"
#include "wslock/base/frame.h"
#include "wslock/session/gateway.h"

#define GATHERED_BYTES 16384 /* payload of a TLS record */
/* The time that a client has to read the last response and to close. */
#define DRAIN_MS 2000
#define LONG_TURN_US 20000

static ssize_t write_tls(SSL *ssl, const char *bytes, size_t len) {
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ERR_clear_error();
    int n = SSL_write(ssl, bytes, len < INT_MAX ? (int)len : INT_MAX);
    int error = SSL_get_error(ssl, n);
    ERR_clear_error();
    if (n > 0) {
        return n;
    }
    return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* Returns how many bytes the socket took; -1: it has failed. */
static ssize_t write_some(struct conn *c, const char *bytes, size_t len) {
    SSL *ssl = lws_get_ssl(c->wsi);
    if (ssl != NULL) {
        return write_tls(ssl, bytes, len);
    }
    ssize_t n = send(lws_get_socket_fd(c->wsi), bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return 0;
    }
    return n;
}

/* The same for several parts, at most GATHERED_BYTES. A copy costs less than to pass the kernel a
 * list of them. */
static ssize_t write_parts(struct conn *c, const struct str *parts, size_t count) {
    static char whole[GATHERED_BYTES]; /* there is one thread */
    size_t len = 0;
    if (count == 1) {
        return write_some(c, parts[0].p, parts[0].len);
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(whole + len, parts[i].p, parts[i].len);
        len += parts[i].len;
    }
    return write_some(c, whole, len);
}

/* Adds what the socket took to *sent. False: the socket has failed. */
static bool write_all(struct conn *c, const char *bytes, size_t len, size_t *sent) {
    while (*sent < len) {
        ssize_t n = write_some(c, bytes + *sent, len - *sent);
        if (n < 0) {
            conn_fail(c);
            return false;
        }
        if (n == 0) {
            break;
        }
        *sent += (size_t)n;
    }
    return true;
}

bool conn_is_busy(const struct conn *c) {
    return c->out.len > 0;
}

static void keep(struct conn *c, const char *bytes, size_t len) {
    if (len == 0) {
        return;
    }
    buf_append(&c->out, bytes, len);
    lws_callback_on_writable(c->wsi);
}

static struct str whole_frame(struct frame *frame) {
    unsigned char *payload = frame_payload(frame);
    size_t header =
        frames_put_header(payload, frame->binary ? FRAMES_BINARY : FRAMES_TEXT, frame->len);
    return (struct str){(char *)payload - header, header + frame->len};
}

void conn_forget_gathered(struct conn *c) {
    for (size_t i = 0; i < c->gathered_count; i++) {
        frame_unref(c->gathered[i]);
    }
    c->gathered_count = 0;
    c->gathered_bytes = 0;
    list_remove(&c->gathering);
}

bool conn_write_gathered(struct conn *c) {
    struct str parts[GATHERED_FRAMES];
    size_t count = c->gathered_count;
    if (count == 0) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        parts[i] = whole_frame(c->gathered[i]);
    }
    ssize_t n = write_parts(c, parts, count);
    size_t sent = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; n >= 0 && i < count; i++) {
        size_t done = sent < parts[i].len ? sent : parts[i].len;
        keep(c, parts[i].p + done, parts[i].len - done);
        sent -= done;
    }
    conn_forget_gathered(c);
    if (n < 0) {
        conn_fail(c);
    }
    return n >= 0;
}

bool conn_write(struct conn *c, const void *bytes, size_t len) {
    size_t sent = 0;
    if (!conn_write_gathered(c) || (!conn_is_busy(c) && !write_all(c, bytes, len, &sent))) {
        return false;
    }
    keep(c, (const char *)bytes + sent, len - sent);
    return true;
}

bool conn_send_frame(struct conn *c, struct frame *frame) {
    size_t size = FRAMES_HEADER_MAX + frame->len;
    if ((c->gathered_count == GATHERED_FRAMES || c->gathered_bytes + size > GATHERED_BYTES) &&
        !conn_write_gathered(c)) {
        return false;
    }
    if (size > GATHERED_BYTES || conn_is_busy(c)) {
        struct str whole = whole_frame(frame);
        return conn_write(c, whole.p, whole.len);
    }
    if (c->gathered_count == 0) {
        list_push_back(&c->net->gathering, &c->gathering);
    }
    c->gathered[c->gathered_count++] = frame_ref(frame);
    c->gathered_bytes += (uint32_t)size;
    return true;
}

void net_write_gathered(struct net *n) {
    LIST_FOREACH_ENTRY(struct conn, c, gathering, &n->gathering) {
        (void)conn_write_gathered(c);
    }
    n->written_us = clock_boot_us();
}

void net_write_if_long(struct net *n) {
    if (clock_boot_us() - n->written_us > LONG_TURN_US) {
        net_write_gathered(n);
        gateway_send_requests(n->gateway);
    }
}

static void finish_drain(struct conn *c) {
    conn_shutdown(c, SHUT_WR);
    conn_end_after(c, DRAIN_MS);
}

bool conn_flush(struct conn *c) {
    if (!conn_is_busy(c)) {
        return true;
    }
    if (!write_all(c, c->out.data, c->out.len, &c->out_sent)) {
        return false;
    }
    if (c->out_sent < c->out.len) {
        lws_callback_on_writable(c->wsi);
        return false;
    }
    buf_fini(&c->out);
    buf_init(&c->out);
    c->out_sent = 0;
    if (c->phase == CONN_DRAINING) {
        finish_drain(c);
    }
    return true;
}

/* The socket is not closed at once: with unread input that would send a reset, and the client could
 * lose the last output. */
void conn_drain(struct conn *c) {
    c->phase = CONN_DRAINING;
    if (!conn_write_gathered(c)) {
        return;
    }
    if (conn_is_busy(c)) {
        conn_end_after(c, NET_HANDSHAKE_TIMEOUT_MS);
    } else {
        finish_drain(c);
    }
}
