/* Ends memberships in the store. A disconnect outlives its session. */
#ifndef WSLOCK_SESSION_DISCONNECT_H
#define WSLOCK_SESSION_DISCONNECT_H

#include "membership.h"

/* kind: what happens to the lock, unless the membership is being left. calls_open: a call of the
 * session may still be carried out. The caller destroys the membership. */
void disconnect_start(struct membership *m, enum lock_disconnect kind, bool calls_open);
/* Before the session joins this room again. False: an attempt may still be carried out, at the
 * latest redis.commandTimeout and a margin after it was sent. */
bool disconnect_cancel(struct session *s, struct str resource) MUST_CHECK;
void disconnect_stop_all(struct gateway *g);
/* Each has succeeded once. */
bool disconnects_settled(const struct gateway *g);
bool disconnect_is_under_way(const struct gateway *g, struct str session_id, struct str resource);

#endif
