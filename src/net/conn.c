#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "http.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

static void on_handshake_timeout(struct wheel_timer *timer) {
    struct conn *c = CONTAINER_OF(timer, struct conn, timer);
    c->settled = true;
    metrics_add(METRIC_REFUSED, 1, "timeout", NULL);
    conn_kill(c);
}

static void on_end(struct wheel_timer *timer) {
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
    buf_init(&c->out);
    list_init(&c->gathering);
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
    buf_fini(&c->out);
    list_remove(&c->node);
    c->listener->count--;
    if (c->listener->kind == LISTENER_PUBLIC)
        n->public_count--;
    mem_free(c);
}

/* TLS has an end of its own, which libwebsockets leaves out for sockets without a protocol. */
static void say_goodbye(struct conn *c, int how) {
    SSL *ssl = lws_get_ssl(c->wsi);
    if (ssl != NULL && SSL_is_init_finished(ssl)) {
        SSL_shutdown(ssl);
        ERR_clear_error();
    }
    shutdown(lws_get_socket_fd(c->wsi), how);
}

/* With the socket shut down, whatever libwebsockets still wants to flush fails at once. */
void conn_kill(struct conn *c) {
    say_goodbye(c, SHUT_RDWR);
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

void conn_fail(struct conn *c) {
    c->ending = true;
    wheel_set(c->net->parts.wheel, &c->timer, 0, on_end);
}

static void end_session(struct conn *c, enum session_end end) {
    struct session *s = c->session;
    c->session = NULL;
    if (s != NULL)
        session_on_closed(s, end, c->peer_code);
}

static void finish_drain(struct conn *c) {
    say_goodbye(c, SHUT_WR);
    wheel_set(c->net->parts.wheel, &c->timer, NET_DRAIN_MS, on_end);
}

/* Closed with bytes unread, the socket would take what was written away from the client. */
void conn_drain(struct conn *c) {
    c->phase = CONN_DRAINING;
    end_session(c, websocket_end(c));
    if (!conn_write_gathered(c))
        return;
    if (conn_is_busy(c))
        wheel_set(c->net->parts.wheel, &c->timer, NET_HANDSHAKE_TIMEOUT_MS, on_end);
    else
        finish_drain(c);
}

int conn_receive(struct conn *c, char *data, size_t len) {
    switch (c->phase) {
    case CONN_HEAD:
        lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0); /* there is our own */
        http_receive(c, data, len);
        break;
    case CONN_REQUEST:
        http_call_body(c, data, len);
        break;
    case CONN_WEBSOCKET:
        websocket_receive(c, data, len);
        break;
    case CONN_DRAINING:
        break;
    }
    return 0;
}

int conn_writable(struct conn *c) {
    bool was_busy = conn_is_busy(c);
    if (!conn_flush(c))
        return 0;
    switch (c->phase) {
    case CONN_HEAD:
        break;
    case CONN_REQUEST:
        http_call_writable(c);
        break;
    case CONN_WEBSOCKET:
        websocket_writable(c);
        break;
    case CONN_DRAINING:
        if (was_busy)
            finish_drain(c);
        break;
    }
    return 0;
}

void conn_closed(struct conn *c) {
    wheel_cancel(&c->timer);
    conn_forget_gathered(c);
    http_call_abandon(c);
    c->ending = true;
    end_session(c, websocket_end(c));
}
