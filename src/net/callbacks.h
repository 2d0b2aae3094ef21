/* What libwebsockets reports. */
#ifndef WSLOCK_NET_CALLBACKS_H
#define WSLOCK_NET_CALLBACKS_H

#include <libwebsockets.h>

#include "state.h"

/* Read from a socket at once, into one buffer for all: a whole TLS record, since
 * libwebsockets 4.1.6 does not come back by itself for what OpenSSL has left of one. */
#define NET_RX_BYTES 16384

/* For libwebsockets a connection is a raw socket: this folder reads HTTP and WebSocket itself. */
extern const struct lws_protocols net_protocols[];
/* The socket is gone: ends what the connection does. conn_destroy follows. */
void conn_closed(struct conn *c);

#endif
