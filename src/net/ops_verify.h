/* The handler of POST /v1/locks/{resourceId}/verify. */
#ifndef WSLOCK_NET_OPS_VERIFY_H
#define WSLOCK_NET_OPS_VERIFY_H

#include "http.h"

void ops_verify(const struct http_request *request, struct http_response *response);

#endif
