/* The requests of Engine.IO, the transport of Socket.IO (docs/protocol.md §13). */
#ifndef WSLOCK_NET_ENGINEIO_H
#define WSLOCK_NET_ENGINEIO_H

#include "http.h"

/* The handler of all requests of paths.socketio. */
void engineio_take(const struct http_request *request, struct http_response *response);
/* Whether the request in c->head belongs to an open session. */
bool engineio_owns(const struct conn *c);
/* Ends the sessions that are left. */
void engineio_end_all(struct net *n);

#endif
