/* POST /v1/reload. */
#ifndef WSLOCK_NET_OPS_RELOAD_H
#define WSLOCK_NET_OPS_RELOAD_H

#include "http.h"

void ops_reload(const struct http_request *request, struct http_response *response);

#endif
