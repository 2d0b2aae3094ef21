#include "http.h"
#include "wslock/base/log.h"

#define RX_BUFFER_BYTES 1024   /* what an idle connection pays for */
#define TX_PACKET_BYTES 262144 /* never cut what the socket would take at once */

static int on_new_connection(struct net *n, struct lws *wsi) {
    if (n->incoming.listener != NULL)
        lws_set_opaque_user_data(wsi, conn_create(n, wsi));
    return 0;
}

static const struct http_site *site_of(const struct conn *c) {
    if (c->listener->kind == LISTENER_OPS)
        return &ops_site;
    return c->net->parts.config->dev ? &dev_site : &public_site;
}

static int on_request(struct conn *c) {
    struct http_request request;
    if (c->listener->kind == LISTENER_PUBLIC) {
        if (!upgrade_admit_request(c))
            return upgrade_refuse(c, HANDSHAKE_RATE);
        http_request_read(c, &request);
        if (str_eqz(request.path, c->net->parts.config->paths.native))
            return upgrade_refuse(c, request.method == HTTP_GET ? HANDSHAKE_NOT_AN_UPGRADE
                                                                : HANDSHAKE_METHOD);
    }
    int result;
    if (c->listener->kind == LISTENER_OPS && ops_take_call(c, &result))
        return result;
    return http_serve(c, site_of(c));
}

static int on_confirm_upgrade(struct conn *c) {
    /* libwebsockets has answered an upgrade that it does not know by itself, and may ask all the
     * same. */
    if (lws_hdr_total_length(c->wsi, WSI_TOKEN_UPGRADE) <= 0)
        return -1;
    if (c->listener->kind == LISTENER_OPS)
        return upgrade_refuse(c, HANDSHAKE_NO_SUCH_PATH);
    return upgrade_filter(c);
}

static int on_conn_event(struct conn *c, enum lws_callback_reasons reason, void *in, size_t len) {
    switch ((int)reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return on_confirm_upgrade(c);
    case LWS_CALLBACK_HTTP:
        return on_request(c);
    case LWS_CALLBACK_HTTP_BODY:
        return http_call_body(c, in, len);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return http_call_body_done(c);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return http_call_writable(c);
    case LWS_CALLBACK_ESTABLISHED:
        return conn_open_session(c);
    case LWS_CALLBACK_RECEIVE:
        conn_receive(c, in, len);
        return 0;
    case LWS_CALLBACK_RECEIVE_PONG:
        if (c->session != NULL)
            session_on_pong(c->session);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        conn_writable(c);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return conn_peer_closes(c, in, len);
    case LWS_CALLBACK_CLOSED:
        conn_closed(c, c->session != NULL ? conn_end(c) : SESSION_END_LOST);
        return 0;
    case LWS_CALLBACK_CLOSED_HTTP:
        conn_closed(c, SESSION_END_LOST);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        lws_set_opaque_user_data(c->wsi, NULL);
        conn_closed(c, SESSION_END_LOST);
        conn_destroy(c);
        return 0;
    default:
        return 0;
    }
}

/* Some callbacks come with a wsi that is a stand-in: of those only what is listed here may be
 * touched. */
static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
    (void)user;
    switch ((int)reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        return on_new_connection(lws_context_user(lws_get_context(wsi)), wsi);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    case LWS_CALLBACK_HTTP_WRITEABLE:
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_RECEIVE_PONG:
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_WSI_DESTROY: {
        struct conn *c = lws_get_opaque_user_data(wsi);
        if (c != NULL)
            return on_conn_event(c, reason, in, len);
        return reason == LWS_CALLBACK_CLOSED || reason == LWS_CALLBACK_CLOSED_HTTP ||
                       reason == LWS_CALLBACK_WSI_DESTROY
                   ? 0
                   : -1;
    }
    default:
        return 0;
    }
}

/* One protocol for HTTP and WebSocket, so that no name on a client's list can choose another. */
const struct lws_protocols net_protocols[] = {
    {
        .name = HANDSHAKE_SUBPROTOCOL,
        .callback = on_event,
        .rx_buffer_size = RX_BUFFER_BYTES,
        .tx_packet_size = TX_PACKET_BYTES,
    },
    {.name = NULL},
};
