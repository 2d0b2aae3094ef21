/*
 * A request with a body, or whose answer may come later. The connection owns it until its handler
 * is called. Then whoever answers owns it, and calls http_call_answer exactly once, also if the
 * connection is gone.
 */
#ifndef WSLOCK_NET_HTTP_CALL_H
#define WSLOCK_NET_HTTP_CALL_H

#include "http.h"

/* Starts to read the body; the route's handler is called when it is complete. If the request may
 * have no body of this length, response says why. */
void http_call_begin(const struct http_request *request, const struct http_route *route,
                     struct http_response *response);
/* Takes over the response. Not from a callback of libwebsockets for another connection. */
void http_call_answer(struct http_call *call, struct http_response *response);

/* For the connection. */
/* CONN_REQUEST: calls the handler if rx has the whole body. */
void http_call_advance(struct conn *c);
/* Sends the answer, if there is one. */
void http_call_writable(struct conn *c);
/* The connection is gone. */
void http_call_abandon(struct conn *c);

#endif
