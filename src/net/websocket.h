/* An open WebSocket: the transport of its session. */
#ifndef WSLOCK_NET_WEBSOCKET_H
#define WSLOCK_NET_WEBSOCKET_H

#include "state.h"
#include "wslock/session/session.h"

/* Answers an admitted handshake and opens the session. cookie: NULL, or one that was not accepted.
 */
void websocket_open(struct conn *c, const struct session_peer *peer,
                    const struct session_cookie *cookie);
void websocket_receive(struct conn *c, char *data, size_t len);
void websocket_writable(struct conn *c);
/* The connection is over: ends the session, if there is one. */
void websocket_closed(struct conn *c);

#endif
