/* Routes the callbacks of libwebsockets to the connection. */
#include "private.h"

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
