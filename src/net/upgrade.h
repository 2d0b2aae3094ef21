/* Admission of requests and WebSocket handshakes. */
#ifndef WSLOCK_NET_UPGRADE_H
#define WSLOCK_NET_UPGRADE_H

#include "handshake.h"
#include "http.h"

/* For every request of a public listener: finds the client's address behind proxies and counts the
 * request against handshakesPerSecond. False: HANDSHAKE_RATE is to be the answer. */
bool upgrade_admit_request(struct conn *c);
/* Sends the refusal and ends the connection. */
void upgrade_refuse(struct conn *c, enum handshake_verdict verdict);
/* The handler of handshakes: opens the WebSocket, or refuses it. */
void upgrade_take(const struct http_request *request, struct http_response *response);

#endif
