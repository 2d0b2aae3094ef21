/*
 * The audit of what scripts changed: recorded from the events of the reply that made the change,
 * once, by the instance that got the reply. s: the session whose request made it, or NULL.
 */
#ifndef WSLOCK_SESSION_AUDIT_EVENTS_H
#define WSLOCK_SESSION_AUDIT_EVENTS_H

#include "wslock/lock/lock.h"

struct gateway;
struct session;

void session_audit_event(struct gateway *g, const struct session *s,
                         const struct lock_event *event);
void session_audit_events(struct gateway *g, const struct session *s,
                          const struct lock_result *result);
/* The same of what resynchronisation reported, without members that joined earlier. */
void session_audit_reported(struct gateway *g, const struct lock_result *result);
/* An event that was read back from the store, because no reply contained it. */
void session_audit_recovered(struct gateway *g, const struct lock_event *event);

#endif
