/* Errors, as an answer or as an event. A function that returns a text gives the request's outcome
 * for the metrics. */
#ifndef WSLOCK_SESSION_ERRORS_H
#define WSLOCK_SESSION_ERRORS_H

#include "call.h"

/* request: the name of its event for the log; NULL: it has none that is known. ref NULL: as an
 * event. extra may be NULL; without its rev, that of the resource is sent. */
void session_error(struct session *s, const char *request, const struct wire_ref *ref,
                   enum wire_error_code code, const char *message,
                   const struct wire_error_extra *extra);
/* A request that is answered without asking the store: counted (metrics) and answered. */
void session_refuse(struct session *s, enum wire_request_kind kind, const struct wire_ref *ref,
                    enum wire_error_code code, const char *message,
                    const struct wire_error_extra *extra);
const char *session_answer_error(struct session *s, const struct call *call,
                                 const struct lock_result *result, enum wire_error_code code,
                                 const char *message);
const char *session_unavailable(struct session *s, const struct call *call);
/* True: the store gave no result, and BACKEND_UNAVAILABLE was sent. */
bool session_failed(struct session *s, const struct call *call, const struct lock_result *result);
/* The session has left the room meanwhile, or never was in it. */
const char *session_room_gone(struct session *s, const struct call *call,
                              const struct lock_result *result);
/* The outcomes that requests have in common: NOT_JOINED, RECOVERING, UNKNOWN_REQUEST, NOT_HOLDER,
 * and any that the script cannot have for this request (INTERNAL). */
const char *session_other_answer(struct session *s, const struct call *call,
                                 const struct lock_result *result);

#endif
