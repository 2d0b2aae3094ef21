/* GET /v1/audit. */
#ifndef WSLOCK_NET_OPS_AUDIT_H
#define WSLOCK_NET_OPS_AUDIT_H

#include "http.h"

void ops_read_audit(const struct http_request *request, struct http_response *response);

#endif
