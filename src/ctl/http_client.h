/* A minimal HTTP/1.1 client for the operations endpoint: one blocking request per connection, with
 * a deadline and a limit on the size of the answer. */
#ifndef CTL_HTTP_CLIENT_H
#define CTL_HTTP_CLIENT_H

#include <stdbool.h>

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"

#define CTL_HTTP_MAX_BYTES (8 * 1024 * 1024)

/* A unix socket's path, or an address and a port. Borrowed. */
struct ctl_endpoint {
    const char *unix_path; /* or NULL */
    const char *address;
    int port;
};

/* Borrowed. */
struct ctl_request {
    const char *method, *path;
    const char *token; /* of the operator; or NULL */
    const char *body;  /* or NULL */
    int timeout_ms;
};

/* Sets *status and appends the body. False with a sentence in *why (static, or until the next call
 * of strerror). */
bool ctl_http(const struct ctl_endpoint *endpoint, const struct ctl_request *request, int *status,
              struct buf *body, const char **why) MUST_CHECK;

#endif
