/* Admission of requests and WebSocket handshakes. */
#ifndef WSLOCK_NET_UPGRADE_H
#define WSLOCK_NET_UPGRADE_H

#include "handshake.h"
#include "http.h"
#include "wslock/session/session.h"

/* For every request of a public listener: finds the client's address behind proxies and counts the
 * request against handshakesPerSecond. False: HANDSHAKE_RATE is to be the answer. */
bool upgrade_admit_request(struct conn *c);
/* Sends the refusal and ends the connection. */
void upgrade_refuse(struct conn *c, enum handshake_verdict verdict);
/* Who opens a connection. */
struct upgrade_client {
    char address[ADDRESS_TEXT_MAX];
    struct session_peer peer;     /* points into address and the request's head */
    struct session_cookie cookie; /* why NULL: none, or it was accepted */
};
void upgrade_read_client(const struct conn *c, struct upgrade_client *out);
void upgrade_refuse_origin(struct conn *c, const struct upgrade_client *client);
/* The limits, after the checks that gave this verdict; the connection is counted in place. False:
 * the request was refused. */
bool upgrade_admit(struct conn *c, const struct upgrade_client *client,
                   enum handshake_verdict verdict, struct admit_place *place) MUST_CHECK;
/* Verifies the tokens of the request, for c->identity and client->cookie: call it last, since a
 * signature is the most expensive check. False: the request was refused. */
bool upgrade_check_tokens(struct conn *c, struct upgrade_client *client) MUST_CHECK;

#endif
