/* Handlers of what an operator changes. */
#ifndef WSLOCK_NET_OPS_OPERATE_H
#define WSLOCK_NET_OPS_OPERATE_H

#include "http.h"

void ops_release(const struct http_request *request, struct http_response *response);
void ops_takeover(const struct http_request *request, struct http_response *response);
void ops_end_session(const struct http_request *request, struct http_response *response);
void ops_end_user(const struct http_request *request, struct http_response *response);

#endif
