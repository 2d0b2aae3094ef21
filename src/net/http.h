/* Answers to plain HTTP requests: one request a connection, then it is closed. */
#ifndef WSLOCK_NET_HTTP_H
#define WSLOCK_NET_HTTP_H

#include "private.h"

#include "wslock/base/jsonw.h"
#include "wslock/wire/resource.h"

#define HTTP_METHODS(X) X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS)

enum http_method {
#define X(name) HTTP_##name,
    HTTP_METHODS(X)
#undef X
        HTTP_OTHER
};

struct http_request {
    struct conn *conn;
    enum http_method method;
    struct str path; /* decoded, without the query; valid until the next request is read */
};

struct http_response {
    int status;
    const char *type;   /* of the body; NULL: none */
    struct buf headers; /* further ones, each with its CRLF */
    struct buf body;
};

typedef void (*http_handler)(const struct http_request *request, struct http_response *response);

struct http_route {
    enum http_method method; /* GET answers HEAD too */
    const char *path;
    http_handler handle;
};

/* What `net` asks of one kind of listener. fallback answers what no route has. */
struct http_site {
    const struct http_route *routes;
    size_t count;
    http_handler fallback;
};

/* Takes bytes of the head; routes the request when it is whole. */
void http_receive(struct conn *c, const char *data, size_t len);
void http_request_read(struct conn *c, struct http_request *out);
/* All values of a field as one NUL-terminated list; false if absent or empty, or longer than out
 * takes (then *too_long, which may be NULL, is set). */
bool http_header(const struct conn *c, const char *name, char *out, size_t size, bool *too_long);
/* A parameter of the query, decoded. */
bool http_parameter(const struct conn *c, const char *name, char *out, size_t size);
void http_error(struct http_response *response, int status, const char *code, const char *message);
void http_not_found(const struct http_request *request, struct http_response *response);

void http_response_init(struct http_response *response);
void http_response_fini(struct http_response *response);
/* "GET", …, "DELETE". */
const char *http_method_name(enum http_method method);
/* Sends it and frees its buffers; the connection ends when the client has had time to read it. */
void http_send(struct conn *c, struct http_response *response, bool head_only);
void http_serve(struct conn *c, const struct http_site *site);

/*
 * A request with a body, whose answer may come later (http_call.c). It belongs to the connection
 * until its handler has been called, and then to who answers: exactly once, with http_call_answer,
 * though the connection may be gone meanwhile.
 */
struct http_call;
/* name, body (the whole of it): borrowed. */
typedef void (*http_call_handler)(struct http_call *call, struct net *n, struct str name,
                                  struct str body);

#define HTTP_CALL_BODY_MAX 16384

/* From the callback for a request. name: what its path names, for the handler. time_ms: what the
 * answer may take once the body is there. */
void http_call_begin(struct conn *c, struct str name, http_call_handler handle, int64_t time_ms);
/* The connection of a call, inside its handler. */
struct conn *http_call_conn(const struct http_call *call);
/* Takes over the response. Never from within libwebsockets' callbacks for another connection. */
void http_call_answer(struct http_call *call, struct http_response *response);
/* The connection's side; harmless where there is no call. */
void http_call_body(struct conn *c, const char *data, size_t len);
void http_call_writable(struct conn *c);
void http_call_abandon(struct conn *c);

/* ops.c, ops_call.c, ops_verify.c, ops_operate.c, page.c */
/* Whether this connection may ask for more than the open paths; false: response says why not. */
bool ops_authorize(const struct http_request *request, struct http_response *response);
/* False: the request is none that takes a body or time. */
bool ops_take_call(struct conn *c);
/* What the body of a request must be, as jsonr_object takes it. */
#define OPS_BODY_FORM                                                                              \
    "the body must be one JSON object that has no key twice and is nested at most 16 deep"
/* False: there is no such resource, and response says so. */
bool ops_read_resource(const struct net *n, struct str name, struct wire_resource *out,
                       struct http_response *response);
/* http_call_handlers; name: a resource, or a session. */
/* {userId, username, token?}: token 0: left out. */
void ops_put_person(struct jsonw *w, const char *key, struct str user_id, struct str username,
                    int64_t token);
void ops_verify(struct http_call *call, struct net *n, struct str name, struct str text);
void ops_release(struct http_call *call, struct net *n, struct str name, struct str body);
void ops_takeover(struct http_call *call, struct net *n, struct str name, struct str body);
void ops_end_session(struct http_call *call, struct net *n, struct str name, struct str body);
extern const struct http_site ops_site;
extern const struct http_site public_site, dev_site;

#endif
