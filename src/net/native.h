/* The native framing: a WebSocket is the transport of a session. */
#ifndef WSLOCK_NET_NATIVE_H
#define WSLOCK_NET_NATIVE_H

#include "http.h"

/* The handler of handshakes: opens the WebSocket and its session, or refuses it. */
void native_take(const struct http_request *request, struct http_response *response);

#endif
