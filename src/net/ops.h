/* The operations endpoint: handlers without a body, and what its handlers have in common. */
#ifndef WSLOCK_NET_OPS_H
#define WSLOCK_NET_OPS_H

#include "http.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/jsonw.h"
#include "wslock/lock/types.h"
#include "wslock/wire/resource.h"

/* The error for a body that jsonr_object does not take. */
#define OPS_BODY_FORM                                                                              \
    "the body must be one JSON object that has no key twice and is nested at most 16 deep"

#define OPS_ID_MAX 256 /* bytes */

/* Whether a foreign web page may have sent the request: it has another Origin than the dashboard;
 * or over TCP, unless for ROLE_ANYONE, a Host that is a name, which a page's own server may have
 * let point here (DNS rebinding). True: response says so. */
bool ops_is_from_page(const struct http_request *request, enum http_role role,
                      struct http_response *response);
/* Whether this connection may use ROLE_OPERATOR routes. False: response says why not. */
bool ops_authorize(const struct http_request *request, struct http_response *response);
/* The resource that the request names. False: it is not valid, and response says why. */
bool ops_read_resource(const struct http_request *request, struct wire_resource *out,
                       struct http_response *response);
/* A string of the body that is neither empty nor has U+0000. Borrowed from body. */
bool ops_read_text(const json_t *body, const char *key, struct str *out);
/* Who acts, and why: `actor` and `reason` of the body. NULL, or the error. */
const char *ops_read_operator(const json_t *body, bool needs_reason, struct lock_operation *out);
/* Sets the origin of the request. *out borrows address. */
void ops_read_origin(const struct conn *c, char address[ADDRESS_TEXT_MAX],
                     struct lock_operation *out);
/* Opens the object of an answer that must not be stored. */
void ops_begin_object(struct http_response *response, struct jsonw *w);
/* 503: as many requests of this kind are being answered as may be. */
void ops_refuse_busy(struct http_response *response);
/* {userId, username, token?}; token 0: left out. */
void ops_put_person(struct jsonw *w, const char *key, struct str user_id, struct str username,
                    int64_t token);

void ops_healthz(const struct http_request *request, struct http_response *response);
void ops_readyz(const struct http_request *request, struct http_response *response);
void ops_metrics(const struct http_request *request, struct http_response *response);

#endif
