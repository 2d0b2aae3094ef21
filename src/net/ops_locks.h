/* Handlers of what an operator reads about locks. */
#ifndef WSLOCK_NET_OPS_LOCKS_H
#define WSLOCK_NET_OPS_LOCKS_H

#include "http.h"

void ops_list_locks(const struct http_request *request, struct http_response *response);
void ops_inspect_lock(const struct http_request *request, struct http_response *response);

#endif
