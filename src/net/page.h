/* Pages and files. On the public listeners: the ticket keys, the JavaScript client, with --dev the
 * demo page and its tokens. On those of `ops`: the dashboard. */
#ifndef WSLOCK_NET_PAGE_H
#define WSLOCK_NET_PAGE_H

#include "http.h"

void page_ticket_keys(const struct http_request *request, struct http_response *response);
void page_dev_token(const struct http_request *request, struct http_response *response);
void page_client(const struct http_request *request, struct http_response *response);
void page_file(const struct http_request *request, struct http_response *response);
void page_dashboard(const struct http_request *request, struct http_response *response);

#endif
