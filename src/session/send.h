/* Sending to a session. */
#ifndef WSLOCK_SESSION_SEND_H
#define WSLOCK_SESSION_SEND_H

struct wire_message;
struct session;

/* Takes over the reference. Closes a session that reads too slowly (4408); sends nothing to one
 * that is closing. */
void session_send(struct session *s, struct wire_message *message);

#endif
