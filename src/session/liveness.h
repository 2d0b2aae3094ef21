/* Whether the client is still there. */
#ifndef WSLOCK_SESSION_LIVENESS_H
#define WSLOCK_SESSION_LIVENESS_H

#include "state.h"

/* READY: pings a quiet client, and closes the session if no sign of life comes back. */
void session_watch_liveness(struct session *s);
/* A message came, or a pong. */
void session_heard(struct session *s);

#endif
