/*
 * The subscription of a membership to its room. While an answer is awaited that the client must get
 * first, the room's events are deferred.
 */
#ifndef WSLOCK_SESSION_SUBSCRIPTION_H
#define WSLOCK_SESSION_SUBSCRIPTION_H

#include "membership.h"

/* JOINING, and subscribed. */
struct membership *membership_create(struct session *s, const struct wire_resource *resource,
                                     const struct config_resource_type *type,
                                     enum wire_presence presence);
/* An answer is awaited. The caller sends it, counts answers_open down and calls
 * membership_deliver_deferred; membership_answer_sent does the last two for a takeover. */
void membership_defer_events(struct membership *m);
/* rev, snapshot: of the join's reply, else 0 and NULL. Closes a session that is too slow. */
void membership_deliver_deferred(struct membership *m, int64_t rev,
                                 const struct lock_snapshot *snapshot);
/* Session and membership may be gone. */
void membership_answer_sent(struct gateway *g, const char *session_id, uint64_t seq);

#endif
