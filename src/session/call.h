/* The context of one asynchronous request, from its arrival to its answer. */
#ifndef WSLOCK_SESSION_CALL_H
#define WSLOCK_SESSION_CALL_H

#include "membership.h"

/* Freed by its result handler with call_end. */
struct call {
    struct gateway *gateway;
    char session_id[RAND_ID_LEN + 1];
    enum wire_request_kind kind;
    struct wire_ref ref;
    struct wire_resource resource;
    bool names_resource; /* the request did; else it is that of the room with its requestId */
    const struct config_resource_type *type;
    uint64_t member_seq; /* 0: needs no membership */
    uint64_t started_us;
    bool refused_editor; /* join: as an editor, without one of the roles */
    int64_t token;       /* as the request named it */
    char request_id[RAND_ID_LEN + 1];
    enum wire_action action; /* *_reply */
};

struct call *call_begin(struct session *s, const struct wire_request *r, struct membership *m,
                        const struct config_resource_type *type);
/* The same for a command that names a request or a takeover. request_id: at most RAND_ID_LEN bytes.
 */
struct call *call_begin_request(struct session *s, const struct wire_request *r,
                                struct membership *m, struct str request_id);
/* Call it first when the result has come. Records the result's events in the audit. Returns the
 * session, or NULL if it is gone or closing: then nobody waits for the answer. */
struct session *call_result(struct call *call, const struct lock_result *result);
struct membership *call_membership(struct call *call, struct session *s);
/* The resource, if the request named it, with this rev. */
struct wire_error_extra call_error_extra(const struct call *call, int64_t rev);
/* Counts the outcome (metrics) and frees. outcome: "ok", a denial's reason or an error's code. */
void call_end(struct call *call, const char *outcome);

#endif
