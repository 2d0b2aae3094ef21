/* The requests of Engine.IO, the transport of Socket.IO (docs/protocol.md §12). */
#ifndef WSLOCK_NET_ENGINEIO_H
#define WSLOCK_NET_ENGINEIO_H

#include "http.h"

bool engineio_has_path(const struct net *n, struct str path);
/* The handler of all requests of such a path. */
void engineio_take(const struct http_request *request, struct http_response *response);
/* Whether the request in c->head belongs to an open session. */
bool engineio_owns(const struct conn *c);
/* Ends the sessions that are left. */
void engineio_end_all(struct net *n);

#endif
