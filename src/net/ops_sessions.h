/* GET /v1/sessions. */
#ifndef WSLOCK_NET_OPS_SESSIONS_H
#define WSLOCK_NET_OPS_SESSIONS_H

#include "http.h"

void ops_list_sessions(const struct http_request *request, struct http_response *response);

#endif
