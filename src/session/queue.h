/* The send queue of a connection. */
#ifndef WSLOCK_SESSION_QUEUE_H
#define WSLOCK_SESSION_QUEUE_H

#include "state.h"

/* Takes over the reference. False: the queue is full and the message was dropped. The caller must
 * then close the session if it is not closing already, since no message may be missing. */
bool session_try_send(struct session *s, struct wire_message *message) MUST_CHECK;
void session_queue_clear(struct session *s);

#endif
