/* Ends memberships in the store. A disconnect outlives its session. */
#ifndef WSLOCK_SESSION_DISCONNECT_H
#define WSLOCK_SESSION_DISCONNECT_H

#include "membership.h"

/* kind: what happens to the lock, unless the membership is being left. calls_open: a call of the
 * session may still be carried out. The caller destroys the membership. */
void disconnect_start(struct membership *m, enum lock_disconnect kind, bool calls_open);
/* Call it before the session joins this room again. False: the store may still carry out an attempt
 * that was sent. This ends redis.commandTimeout and a margin after the attempt was sent. */
bool disconnect_cancel(struct session *s, struct str resource) MUST_CHECK;
void disconnect_stop_all(struct gateway *g);
/* True: every disconnect has succeeded at least once. */
bool disconnects_settled(const struct gateway *g);
bool disconnect_is_under_way(const struct gateway *g, struct str session_id, struct str resource);

#endif
