/* A connection: its timer, its input buffer, and how it is cut. */
#include "conn.h"

#include <assert.h>
#include <libwebsockets.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "wslock/auth/auth.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

/* ---- the ways it is cut ---- */

/* libwebsockets sends no close_notify for raw sockets. */
void conn_shutdown(struct conn *c, int how) {
    SSL *ssl = lws_get_ssl(c->wsi);
    if (ssl != NULL && SSL_is_init_finished(ssl)) {
        SSL_shutdown(ssl);
        ERR_clear_error();
    }
    shutdown(lws_get_socket_fd(c->wsi), how);
}

/* Only outside of the callbacks of libwebsockets. The socket is shut down first, so that
 * libwebsockets cannot wait for a flush. */
static void cut(struct conn *c) {
    conn_shutdown(c, SHUT_RDWR);
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

static void on_handshake_timeout(struct wheel_timer *timer) {
    struct conn *c = CONTAINER_OF(timer, struct conn, timer);
    c->settled = true;
    metrics_add(METRIC_REFUSED, 1, "timeout", NULL);
    cut(c);
}

static void on_end(struct wheel_timer *timer) {
    cut(CONTAINER_OF(timer, struct conn, timer));
}

void conn_end_after(struct conn *c, uint64_t ms) {
    wheel_set(c->net->parts.wheel, &c->timer, ms, on_end);
}

void conn_fail(struct conn *c) {
    c->ending = true;
    conn_end_after(c, 0);
}

void conn_await_request(struct conn *c) {
    list_remove(&c->idle);
    c->settled = c->handshake_counted = false;
    wheel_set(c->net->parts.wheel, &c->timer, NET_HANDSHAKE_TIMEOUT_MS, on_handshake_timeout);
}

/* ---- its life ---- */

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
    if (c->listener->kind == LISTENER_PUBLIC) {
        n->public_count++;
    }
    return c;
}

void conn_destroy(struct conn *c) {
    struct net *n = c->net;
    assert(c->session == NULL);
    wheel_cancel(&c->timer);
    if (!c->settled && !n->draining && c->listener->kind == LISTENER_PUBLIC) {
        metrics_add(METRIC_REFUSED, 1, "unread", NULL);
    }
    admit_leave(n->admit, &c->place, clock_boot_us());
    auth_identity_destroy(&c->identity);
    buf_fini(&c->rx);
    buf_fini(&c->out);
    mem_free(c->cors);
    list_remove(&c->node);
    c->listener->count--;
    if (c->listener->kind == LISTENER_PUBLIC) {
        n->public_count--;
    }
    mem_free(c);
}

/* ---- its input ---- */

struct buf conn_take(struct conn *c, size_t len) {
    struct buf taken = c->rx;
    buf_init(&c->rx);
    if (len < taken.len) {
        buf_append(&c->rx, taken.data + len, taken.len - len);
    }
    taken.len = len;
    return taken;
}

void conn_pause(struct conn *c, bool paused) {
    if (c->paused != paused) {
        lws_rx_flow_control(c->wsi, !paused);
    }
    c->paused = paused;
}
