#include "http.h"

static const struct http_site *site_of(const struct conn *c) {
    if (c->listener->kind == LISTENER_OPS)
        return &ops_site;
    return c->net->parts.config->dev ? &dev_site : &public_site;
}

static bool is_addressed(struct conn *c) {
    bool ok = http_head_is_addressed(&c->head);
    if (!ok)
        upgrade_refuse(c, HANDSHAKE_ADDRESSING);
    return ok;
}

/* False: it has been answered, or has become a WebSocket. */
static bool route_public(struct conn *c) {
    struct http_request request;
    if (!upgrade_admit_request(c)) {
        upgrade_refuse(c, HANDSHAKE_RATE);
        return false;
    }
    http_request_read(c, &request);
    bool native = str_eqz(request.path, c->net->parts.config->paths.native);
    if (http_head_lists(&c->head, "Upgrade", "websocket") ||
        (native && http_head_count(&c->head, "Upgrade") > 0)) {
        upgrade_take(c, request.path);
        return false;
    }
    if (!is_addressed(c))
        return false;
    if (native)
        upgrade_refuse(c, request.method == HTTP_GET ? HANDSHAKE_NOT_AN_UPGRADE : HANDSHAKE_METHOD);
    return !native;
}

/* The same for a request to the operations endpoint. */
static bool route_ops(struct conn *c) {
    if (!is_addressed(c))
        return false;
    if (!http_head_lists(&c->head, "Upgrade", "websocket"))
        return !ops_take_call(c);
    upgrade_refuse(c, HANDSHAKE_NO_SUCH_PATH);
    return false;
}

void conn_route(struct conn *c) {
    if (c->listener->kind == LISTENER_OPS ? route_ops(c) : route_public(c))
        http_serve(c, site_of(c));
}

/* Some callbacks come with a wsi that is a stand-in: of those only what is listed here may be
 * touched. */
static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
    (void)user;
    struct net *n = NULL;
    struct conn *c = NULL;
    switch ((int)reason) {
    case LWS_CALLBACK_RAW_ADOPT:
        n = lws_context_user(lws_get_context(wsi));
        if (n->incoming.listener != NULL)
            lws_set_opaque_user_data(wsi, conn_create(n, wsi));
        return 0;
    case LWS_CALLBACK_RAW_RX:
        c = lws_get_opaque_user_data(wsi);
        return c != NULL ? conn_receive(c, in, len) : -1;
    case LWS_CALLBACK_RAW_WRITEABLE:
        c = lws_get_opaque_user_data(wsi);
        return c != NULL ? conn_writable(c) : -1;
    case LWS_CALLBACK_RAW_CLOSE:
        c = lws_get_opaque_user_data(wsi);
        if (c != NULL)
            conn_closed(c);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        c = lws_get_opaque_user_data(wsi);
        if (c == NULL)
            return 0;
        lws_set_opaque_user_data(wsi, NULL);
        conn_closed(c);
        conn_destroy(c);
        return 0;
    default:
        return 0;
    }
}

/* libwebsockets gets sockets without HTTP or WebSocket on them: those are read here. */
const struct lws_protocols net_protocols[] = {
    {
        .name = "wslockd",
        .callback = on_event,
        .rx_buffer_size = NET_RX_BYTES,
    },
    {.name = NULL},
};
