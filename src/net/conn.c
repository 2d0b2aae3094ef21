/* A connection: its timer, its input buffer, and the ways it ends. */
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

void conn_end_after(struct conn *c, uint64_t ms) {
    wheel_set(c->net->parts.wheel, &c->timer, ms, on_end);
}

void conn_await_request(struct conn *c) {
    list_remove(&c->idle);
    c->settled = c->handshake_counted = false;
    wheel_set(c->net->parts.wheel, &c->timer, NET_HANDSHAKE_TIMEOUT_MS, on_handshake_timeout);
}

struct conn *conn_create(struct net *n, struct lws *wsi) {
    struct conn *c = mem_zalloc(sizeof *c);
    c->net = n;
    c->wsi = wsi;
    c->listener = n->incoming.listener;
    c->socket_peer = c->peer = n->incoming.peer;
    c->place = n->incoming.place;
    n->incoming.place = (struct admit_place){NULL, false};
    n->incoming.listener = NULL;
    buf_init(&c->rx);
    buf_init(&c->out);
    list_init(&c->gathering);
    list_init(&c->idle);
    wheel_timer_init(&c->timer);
    conn_await_request(c);
    c->handshake_counted = n->incoming.handshake_counted;
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
    conn_end_after(c, 0);
}

static void end_session(struct conn *c, enum session_end end) {
    struct session *s = c->session;
    c->session = NULL;
    if (s != NULL)
        session_on_closed(s, end, c->peer_code);
}

static void finish_drain(struct conn *c) {
    say_goodbye(c, SHUT_WR);
    conn_end_after(c, NET_DRAIN_MS);
}

/* Closing a socket with unread input resets it, and the client may lose the last output. */
void conn_drain(struct conn *c) {
    c->phase = CONN_DRAINING;
    end_session(c, websocket_end(c));
    if (!conn_write_gathered(c))
        return;
    if (conn_is_busy(c))
        conn_end_after(c, NET_HANDSHAKE_TIMEOUT_MS);
    else
        finish_drain(c);
}

struct buf conn_take(struct conn *c, size_t len) {
    struct buf taken = c->rx;
    buf_init(&c->rx);
    if (len < taken.len)
        buf_append(&c->rx, taken.data + len, taken.len - len);
    taken.len = len;
    return taken;
}

void conn_pause(struct conn *c, bool paused) {
    if (c->paused != paused)
        lws_rx_flow_control(c->wsi, !paused);
    c->paused = paused;
}

int conn_receive(struct conn *c, char *data, size_t len) {
    switch (c->phase) {
    case CONN_HEAD:
    case CONN_REQUEST:
        lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0); /* conn has its own timer */
        http_receive(c, data, len);
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
        http_resume(c);
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
    list_remove(&c->idle);
    conn_forget_gathered(c);
    http_call_abandon(c);
    c->ending = true;
    end_session(c, websocket_end(c));
}
