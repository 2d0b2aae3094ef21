/* An open WebSocket, for the part that uses it. */
#ifndef WSLOCK_NET_WEBSOCKET_H
#define WSLOCK_NET_WEBSOCKET_H

#include "state.h"
#include "wslock/session/session.h"

/* Who uses a WebSocket. Texts are valid UTF-8; they and bytes are borrowed, and at most
 * maxMessageBytes long. */
struct websocket_user {
    void (*on_text)(struct conn *c, const char *text, size_t len);
    void (*on_binary)(struct conn *c, const char *bytes, size_t len); /* NULL: a violation */
    void (*on_violation)(struct conn *c, enum wire_close close);
    void (*on_pong)(struct conn *c);
    void (*on_writable)(struct conn *c);
    /* The connection begins to end. */
    void (*on_ending)(struct conn *c, enum session_end end);
    /* The connection is over; the last call. conn.peer_code: the client's close code. */
    void (*on_closed)(struct conn *c, enum session_end end);
};

/* Answers an admitted handshake. protocol: the subprotocol, or NULL. False: the socket has failed,
 * and the user is never called. */
bool websocket_accept(struct conn *c, const char *protocol,
                      const struct websocket_user *user) MUST_CHECK;
enum session_write websocket_write(struct conn *c, struct frame *frame);
/* A text of at most FRAMES_CONTROL_MAX bytes, behind all output that waits. */
void websocket_send_short(struct conn *c, const char *text);
/* on_writable follows. */
void websocket_want_write(struct conn *c);
void websocket_ping(struct conn *c);
/* Begins the close handshake; nothing more is read or sent. reason: may be NULL. */
void websocket_close(struct conn *c, uint16_t code, const char *reason);

/* For the connection. */
void websocket_receive(struct conn *c, char *data, size_t len);
void websocket_writable(struct conn *c);
/* The connection is over: tells the user, if there is one. */
void websocket_closed(struct conn *c);

#endif
