/* The open request or takeover that a message names by its requestId. */
#ifndef WSLOCK_SESSION_OPEN_REQUEST_H
#define WSLOCK_SESSION_OPEN_REQUEST_H

#include "membership.h"

/* The room of a requestId that this session may know; else NULL, and refused with
 * UNKNOWN_REQUEST. */
struct membership *open_request_room(struct session *s, const struct wire_request *r);

#endif
