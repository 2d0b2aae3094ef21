/* An HTTP/1.1 client for the operations endpoint, over libcurl: one blocking request at a time,
 * with a deadline and a limit on the size of the answer. The connection persists. */
#ifndef CTL_HTTP_CLIENT_H
#define CTL_HTTP_CLIENT_H

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"
#include "wslock/base/str.h"

#define CTL_HTTP_MAX_BYTES ((size_t)8 * 1024 * 1024) /* of an answer */

/* A unix socket's path, or an address and a port. Borrowed. */
struct ctl_endpoint {
    const char *unix_path; /* or NULL */
    const char *address;
    int port;
};

/* Borrowed. */
struct ctl_request {
    const char *method, *path; /* the path with its query, escaped */
    const char *token;         /* of the operator; or NULL */
    const char *body;          /* JSON; or NULL */
    int timeout_ms;
};

enum ctl_http_result {
    CTL_HTTP_ANSWERED,
    CTL_HTTP_FORBIDDEN, /* no right to use the socket */
    CTL_HTTP_UNREACHED, /* nothing was sent */
    CTL_HTTP_UNKNOWN,   /* the request was sent, or part of it, and the answer is missing or bad */
};

struct ctl_http;

struct ctl_http *ctl_http_create(const struct ctl_endpoint *endpoint);
void ctl_http_destroy(struct ctl_http **http);
/* Sets *status and appends the body. If there is no answer, *why is a sentence, valid until the
 * next call. */
enum ctl_http_result ctl_http_send(struct ctl_http *http, const struct ctl_request *request,
                                   int *status, struct buf *body, const char **why) MUST_CHECK;
/* Appends text for a path or a query: everything but unreserved characters (RFC 3986) as %XX. */
void ctl_http_escape(struct buf *out, struct str text);

#endif
