/* What libwebsockets reports. */
#ifndef WSLOCK_NET_CALLBACKS_H
#define WSLOCK_NET_CALLBACKS_H

#include <libwebsockets.h>

#include "state.h"

/* Size of the read buffer that all sockets share. It takes a whole TLS record: libwebsockets 4.1.6
 * does not read by itself what OpenSSL still has of a record. */
#define NET_RX_BYTES 16384

/* For libwebsockets a connection is a raw socket: this folder reads HTTP and WebSocket itself. */
extern const struct lws_protocols net_protocols[];
/* The socket is gone: ends what the connection does. conn_destroy follows. */
void conn_closed(struct conn *c);

#endif
