/* HTTP/1.1 requests that are no WebSocket, and the table of who answers them. A connection's are
 * answered one after another. */
#ifndef WSLOCK_NET_HTTP_H
#define WSLOCK_NET_HTTP_H

#include "private.h"

#include "wslock/base/jsonw.h"
#include "wslock/wire/resource.h"

/*
 * A request with a body, whose answer may come later (http_call.c). It belongs to the connection
 * until its handler has been called, and then to who answers: exactly once, with http_call_answer,
 * though the connection may be gone meanwhile.
 */
struct http_call;

/* Valid while it is handled. */
struct http_request {
    struct conn *conn;
    struct str path;        /* decoded, without the query; of one with a body not known any more */
    struct str name;        /* what '*' stands for in the route's path */
    struct str body;        /* the whole of it */
    struct http_call *call; /* NULL: a request without a body */
};

struct http_response {
    bool later; /* the handler has answered by itself, or http_call_answer will */
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

enum http_role { ROLE_ANYONE, ROLE_OPERATOR };

struct http_route {
    enum http_site site;
    enum http_role role;
    const char *method; /* "GET" is HEAD too */
    const char *path;   /* one '*' stands for a name without a slash in it */
    http_handler handle;
    size_t body_max; /* 0: a body is not read, and ends the connection */
    int64_t more_ms; /* with a body: what the answer may take beside the store */
};

/* Answers the request whose head has come, or has its body read. */
void http_route(struct conn *c);

/* Takes bytes of requests. */
void http_receive(struct conn *c, const char *data, size_t len);
/* The socket has taken the last answer: on to what came behind its request. */
void http_resume(struct conn *c);
/* All values of a field as one NUL-terminated list; false if absent or empty, or longer than out
 * takes (then *too_long, which may be NULL, is set). */
bool http_header(const struct conn *c, const char *name, char *out, size_t size, bool *too_long);
/* A parameter of the query, decoded. */
bool http_parameter(const struct conn *c, const char *name, char *out, size_t size);
void http_error(struct http_response *response, int status, const char *code, const char *message);
void http_not_found(const struct http_request *request, struct http_response *response);

void http_response_init(struct http_response *response);
void http_response_fini(struct http_response *response);
/* Sends it and frees its buffers. Then the next request may come, or the connection ends when the
 * client has had time to read. */
void http_send(struct conn *c, struct http_response *response);

/* Has the body of a request read, and then the route's handler called; or refuses that. */
void http_call_begin(const struct http_request *request, const struct http_route *route,
                     struct http_response *response);
/* Takes over the response. Never from within libwebsockets' callbacks for another connection. */
void http_call_answer(struct http_call *call, struct http_response *response);
/* The connection's side; harmless where there is no call. */
void http_call_advance(struct conn *c);
void http_call_writable(struct conn *c);
void http_call_abandon(struct conn *c);

/* upgrade.c: opens the WebSocket, or refuses it. */
void upgrade_take(const struct http_request *request, struct http_response *response);

/* page.c */
void page_ticket_keys(const struct http_request *request, struct http_response *response);
void page_dev_token(const struct http_request *request, struct http_response *response);
void page_file(const struct http_request *request, struct http_response *response);

/* ops.c */
/* Whether this connection may ask for more than the open paths; false: response says why not. */
bool ops_authorize(const struct http_request *request, struct http_response *response);
/* What the body of a request must be, as jsonr_object takes it. */
#define OPS_BODY_FORM                                                                              \
    "the body must be one JSON object that has no key twice and is nested at most 16 deep"
/* The resource that the request names. False: there is none such, and response says so. */
bool ops_read_resource(const struct http_request *request, struct wire_resource *out,
                       struct http_response *response);
/* {userId, username, token?}: token 0: left out. */
void ops_put_person(struct jsonw *w, const char *key, struct str user_id, struct str username,
                    int64_t token);
void ops_healthz(const struct http_request *request, struct http_response *response);
void ops_readyz(const struct http_request *request, struct http_response *response);
void ops_metrics(const struct http_request *request, struct http_response *response);

/* ops_verify.c, ops_operate.c */
void ops_verify(const struct http_request *request, struct http_response *response);
void ops_release(const struct http_request *request, struct http_response *response);
void ops_takeover(const struct http_request *request, struct http_response *response);
void ops_end_session(const struct http_request *request, struct http_response *response);

#endif
