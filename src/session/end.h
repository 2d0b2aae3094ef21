/* How a connection ends. */
#ifndef WSLOCK_SESSION_END_H
#define WSLOCK_SESSION_END_H

#include "state.h"

/* AUTH, READY: announces the end, and leaves the rooms from the loop, not from inside. In other
 * states it does nothing. */
void session_close(struct session *s, enum wire_close close);
/* The client leaves on purpose, by a message of its framing. */
void session_leave(struct session *s);
/* READY: an operator ends it. Its rooms are left at once; on_room_ended is called once for each of
 * them, perhaps from inside. */
void session_terminate(struct session *s,
                       void (*on_room_ended)(struct gateway *g, const char *session_id, bool ok));
/* Every reason counts from 0, so that the first close with a reason is an increase. */
void session_init_closed_metric(void);
/* Without any message. */
void session_free(struct session *s);

#endif
