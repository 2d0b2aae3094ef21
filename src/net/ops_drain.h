/* POST /v1/drain and POST /v1/undrain. */
#ifndef WSLOCK_NET_OPS_DRAIN_H
#define WSLOCK_NET_OPS_DRAIN_H

#include "http.h"

void ops_drain(const struct http_request *request, struct http_response *response);
void ops_undrain(const struct http_request *request, struct http_response *response);

#endif
