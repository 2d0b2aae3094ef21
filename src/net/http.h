/* HTTP/1.1 requests and responses: what handlers get and give. */
#ifndef WSLOCK_NET_HTTP_H
#define WSLOCK_NET_HTTP_H

#include "state.h"

/* Valid until the handler returns. */
struct http_request {
    struct conn *conn;
    struct str path;        /* decoded, without the query; unset in a call */
    struct str name;        /* what '*' stands for in the route's path */
    struct str query;       /* not decoded */
    struct str body;        /* the whole of it */
    struct http_call *call; /* NULL: the handler must answer at once */
};

struct http_response {
    bool later; /* the handler has answered by itself, or will call http_call_answer */
    int status;
    const char *type;   /* of the body; NULL: none */
    struct buf headers; /* further ones, each with its CRLF */
    struct buf body;
};

typedef void (*http_handler)(const struct http_request *request, struct http_response *response);

enum http_site {
    SITE_PUBLIC,
    SITE_DEV, /* the public listeners with --dev */
    SITE_OPS,
};

enum http_role {
    ROLE_ANYONE,
    ROLE_BROWSER, /* anyone, but Host must be an address or localhost (DNS rebinding) */
    ROLE_OPERATOR,
};

struct http_route {
    enum http_site site;
    enum http_role role;
    const char *method; /* "GET" also matches HEAD */
    const char *path;   /* one '*' stands for a name without a slash */
    http_handler handle;
    size_t body_max; /* bytes; 0: a body is not read, and ends the connection */
    int64_t more_ms; /* how long the answer may take in addition to the store; 0 without a body: the
                        handler answers at once */
};

/* All values of a field as one NUL-terminated list. False if absent or empty, or longer than out
 * takes (then *too_long is set; it may be NULL). */
bool http_header(const struct conn *c, const char *name, char *out, size_t size, bool *too_long);
/* The first parameter of the query with this name, decoded. False: there is none, or out cannot
 * take its value. */
bool http_parameter(const struct http_request *request, const char *name, char *out, size_t size);

void http_response_init(struct http_response *response);
void http_response_fini(struct http_response *response);
void http_error(struct http_response *response, int status, const char *code, const char *message);
/* A handler. */
void http_not_found(const struct http_request *request, struct http_response *response);
/* Sends the response and frees its buffers. Then the next request may follow, or the connection
 * ends after the client has had time to read. */
void http_send(struct conn *c, struct http_response *response);

#endif
