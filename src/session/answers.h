/* Answers from the typed result of a script. A function that returns a text gives the request's
 * outcome for the metrics. */
#ifndef WSLOCK_SESSION_ANSWERS_H
#define WSLOCK_SESSION_ANSWERS_H

#include "call.h"

/* The way of most results: call_result, then the membership that the caller answers before it calls
 * call_end. NULL: the store gave no result, or the session is not in the room any more; this was
 * answered, and the call has ended. */
struct membership *call_to_answer(struct call *call, const struct lock_result *result);

struct wire_at session_at(const struct call *call, const struct lock_result *result);
/* The answer to lock:acquire, and to the lock part of an editor's join: acquired, queued, denied or
 * an error. ref NULL: as an event. */
const char *session_answer_acquire(struct session *s, struct membership *m, const struct call *call,
                                   const struct wire_ref *ref,
                                   const struct lock_acquire_result *result);
/* kind: of the request that is denied. lock may be NULL. */
void session_send_denied(struct session *s, struct membership *m, enum wire_request_kind kind,
                         const struct wire_ref *ref, const struct wire_at *at, const char *reason,
                         const struct lock_view *lock);
const char *session_queue_full(struct session *s, enum wire_request_kind kind,
                               const struct wire_ref *ref, const struct wire_at *at);
/* Notes that the lock is this tab's; gives lock:acquired. before: the grant that ended by it; may
 * be NULL. */
struct wire_message *session_acquired(struct session *s, struct membership *m,
                                      const struct wire_ref *ref, const struct wire_at *at,
                                      const struct lock_view *lock,
                                      const struct lock_ending *before, bool resumed);
/* The signed ticket of a lock that this user has; empty where none are signed. now_ms: the store's.
 * Valid until the next call. */
struct str session_ticket(const struct session *s, struct str resource,
                          const struct lock_view *lock, int64_t now_ms);

#endif
