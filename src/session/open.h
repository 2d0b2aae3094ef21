/* How a connection begins. */
#ifndef WSLOCK_SESSION_OPEN_H
#define WSLOCK_SESSION_OPEN_H

#include "state.h"

/* Takes over identity. ref: of the auth message, NULL: the token came in the handshake. */
void session_accept(struct session *s, struct auth_identity *identity, const struct wire_ref *ref);
/* It has a lock in a shard that is not served, and was not told until when. */
bool session_is_unconfirmed(const struct session *s);
/* READY: system:degraded. */
void session_send_degraded(struct session *s);

#endif
