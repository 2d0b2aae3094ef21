/*
 * One handler for each verb of a request (handle_*.c). dispatch.c has checked what the verb's row
 * asks for. r is borrowed. m: the membership, if the row asks for one. type: of the resource, if
 * the row asks for one.
 */
#ifndef WSLOCK_SESSION_HANDLERS_H
#define WSLOCK_SESSION_HANDLERS_H

struct config_resource_type;
struct membership;
struct session;
struct wire_request;

typedef void session_handler(struct session *s, const struct wire_request *r, struct membership *m,
                             const struct config_resource_type *type);

session_handler handle_auth;
session_handler handle_refresh;
session_handler handle_ping;
session_handler handle_join;
session_handler handle_leave;
session_handler handle_status;
session_handler handle_acquire; /* and lock:claim */
session_handler handle_heartbeat;
session_handler handle_release;
session_handler handle_queue_leave;
session_handler handle_request;
session_handler handle_takeover;
session_handler handle_reply;  /* of the holder, to a request or a takeover */
session_handler handle_cancel; /* of a request or a takeover */

#endif
