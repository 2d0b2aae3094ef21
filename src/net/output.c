/*
 * What goes out, past libwebsockets: while that keeps what a socket did not take, it reads nothing
 * from the socket either, and a client that reads slowly would not be heard.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "private.h"

static ssize_t write_tls(SSL *ssl, const char *bytes, size_t len) {
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ERR_clear_error();
    int n = SSL_write(ssl, bytes, len < INT_MAX ? (int)len : INT_MAX);
    int error = SSL_get_error(ssl, n);
    ERR_clear_error();
    if (n > 0)
        return n;
    return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* How much the socket has taken; -1: it is broken. */
static ssize_t write_some(struct conn *c, const char *bytes, size_t len) {
    SSL *ssl = lws_get_ssl(c->wsi);
    if (ssl != NULL)
        return write_tls(ssl, bytes, len);
    ssize_t n = send(lws_get_socket_fd(c->wsi), bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    return n;
}

/* False: the socket is broken. *sent grows by what it took. */
static bool write_all(struct conn *c, const char *bytes, size_t len, size_t *sent) {
    while (*sent < len) {
        ssize_t n = write_some(c, bytes + *sent, len - *sent);
        if (n < 0) {
            conn_fail(c);
            return false;
        }
        if (n == 0)
            break;
        *sent += (size_t)n;
    }
    return true;
}

bool conn_is_busy(const struct conn *c) {
    return c->out.len > 0;
}

bool conn_write(struct conn *c, const void *bytes, size_t len) {
    size_t sent = 0;
    if (!conn_is_busy(c) && !write_all(c, bytes, len, &sent))
        return false;
    if (sent < len) {
        buf_append(&c->out, (const char *)bytes + sent, len - sent);
        lws_callback_on_writable(c->wsi);
    }
    return true;
}

bool conn_flush(struct conn *c) {
    if (!conn_is_busy(c))
        return true;
    if (!write_all(c, c->out.data, c->out.len, &c->out_sent))
        return false;
    if (c->out_sent < c->out.len) {
        lws_callback_on_writable(c->wsi);
        return false;
    }
    buf_fini(&c->out);
    buf_init(&c->out);
    c->out_sent = 0;
    return true;
}
