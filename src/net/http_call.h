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

/*
 * An answer in parts, whose length is not known (chunked, RFC 9112 §7.1). The connection ends with
 * it. Whoever answers gives the next part when the last one was taken, so that a client that reads
 * slowly holds at most one.
 */
struct http_parts {
    void (*on_ready)(void *arg); /* the next part may be given */
    void (*on_gone)(void *arg);  /* the connection is gone, and the call with it */
};
/* Begins it, in place of http_call_answer, for a GET. waits: parts may be given much later, and the
 * end of the client is noticed meanwhile; else it may shut down its side after the request. False:
 * the connection is gone, and the call with it. */
bool http_call_begin_parts(struct http_call *call, const char *type, bool waits,
                           const struct http_parts *parts, void *arg) MUST_CHECK;
/* part: not empty. on_ready or on_gone follows, unless it returns true: the next part may be given
 * at once. */
bool http_call_add_part(struct http_call *call, struct str part) MUST_CHECK;
/* complete: the client learns that this is the end of the answer; else that it is cut. */
void http_call_end_parts(struct http_call *call, bool complete);

/* For the connection. */
/* CONN_REQUEST: calls the handler if rx has the whole body. */
void http_call_advance(struct conn *c);
/* Sends the answer, if there is one. */
void http_call_writable(struct conn *c);
/* The connection is gone. */
void http_call_abandon(struct conn *c);

#endif
