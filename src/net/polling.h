/* The polling transport of Engine.IO: its requests. */
#ifndef WSLOCK_NET_POLLING_H
#define WSLOCK_NET_POLLING_H

#include "engine.h"
#include "http.h"

/* Codes of Engine.IO's refusals. */
enum polling_refusal {
    POLLING_TRANSPORT_UNKNOWN,
    POLLING_SID_UNKNOWN,
    POLLING_BAD_METHOD,
    POLLING_BAD_REQUEST,
    POLLING_FORBIDDEN,
    POLLING_VERSION,
};
/* 400 with the code and its message. */
void polling_refuse(struct http_response *response, enum polling_refusal code);

/* A response with packets, whose body follows. */
void polling_begin_packets(struct http_response *response);

/* A request of a session that polls. */
void polling_take(struct engineio *e, const struct http_request *request,
                  struct http_response *response);
/* The session of a request; NULL: it names none that is open. */
struct engineio *polling_find(const struct http_request *request);

/* For the connection, in CONN_POLL. */
void polling_received(struct conn *c, const char *data, size_t len);
void polling_writable(struct conn *c);
/* The connection is gone, in any phase. */
void polling_closed(struct conn *c);

#endif
