/* Passes what libwebsockets reports to the part that the phase of the connection needs. */
#include "callbacks.h"

#include "conn.h"
#include "http_call.h"
#include "output.h"
#include "polling.h"
#include "requests.h"
#include "tls.h"
#include "websocket.h"

static void on_received(struct conn *c, char *data, size_t len) {
    switch (c->phase) {
    case CONN_HEAD:
    case CONN_REQUEST:
        lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0); /* conn has its own timer */
        requests_receive(c, data, len);
        break;
    case CONN_POLL:
        polling_received(c, data, len);
        break;
    case CONN_WEBSOCKET:
        websocket_receive(c, data, len);
        break;
    case CONN_DRAINING:
        break;
    }
}

static void on_writable(struct conn *c) {
    if (!conn_flush(c)) {
        return;
    }
    switch (c->phase) {
    case CONN_HEAD:
        requests_resume(c);
        break;
    case CONN_REQUEST:
        http_call_writable(c);
        break;
    case CONN_POLL:
        polling_writable(c);
        break;
    case CONN_WEBSOCKET:
        websocket_writable(c);
        break;
    case CONN_DRAINING:
        break;
    }
}

void conn_closed(struct conn *c) {
    wheel_cancel(&c->timer);
    list_remove(&c->idle);
    conn_forget_gathered(c);
    http_call_abandon(c);
    c->ending = true;
    polling_closed(c);
    websocket_closed(c);
}

static void take_context(struct listener *l, struct ssl_ctx_st *context) {
    l->tls_context = context;
    tls_use_pair(context, &l->pair);
}

/* Other callbacks may pass a temporary wsi that belongs to no connection: they must not use it. */
static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
    struct net *n = NULL;
    struct conn *c = NULL;
    switch ((int)reason) {
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS: /* a vhost is created */
        take_context(lws_get_vhost_user(in), user);
        return 0;
    case LWS_CALLBACK_RAW_ADOPT:
        n = lws_context_user(lws_get_context(wsi));
        if (n->incoming.listener != NULL) {
            lws_set_opaque_user_data(wsi, conn_create(n, wsi));
        }
        return 0;
    case LWS_CALLBACK_RAW_RX:
        c = lws_get_opaque_user_data(wsi);
        if (c == NULL) {
            return -1;
        }
        net_write_if_long(c->net);
        on_received(c, in, len);
        return 0;
    case LWS_CALLBACK_RAW_WRITEABLE:
        c = lws_get_opaque_user_data(wsi);
        if (c == NULL) {
            return -1;
        }
        on_writable(c);
        return 0;
    case LWS_CALLBACK_RAW_CLOSE:
        c = lws_get_opaque_user_data(wsi);
        if (c != NULL) {
            net_write_if_long(c->net);
            conn_closed(c);
        }
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        c = lws_get_opaque_user_data(wsi);
        if (c == NULL) {
            return 0;
        }
        lws_set_opaque_user_data(wsi, NULL);
        conn_closed(c);
        conn_destroy(c);
        return 0;
    default:
        return 0;
    }
}

const struct lws_protocols net_protocols[] = {
    {
        .name = "wslockd",
        .callback = on_event,
        .rx_buffer_size = NET_RX_BYTES,
    },
    {.name = NULL},
};
