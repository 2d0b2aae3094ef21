/* The audit of sessions and refusals, and what a failing audit forbids. */
#ifndef WSLOCK_SESSION_AUDIT_H
#define WSLOCK_SESSION_AUDIT_H

#include "membership.h"
#include "wslock/audit/audit.h"

void session_audit_session(struct session *s, enum audit_action action, const char *reason);
/* LOCK_DENIED. ref: as in the answer. lock: as it stands, or NULL. */
void session_audit_denied(struct membership *m, const char *reason, const char *ref,
                          const struct lock_view *lock);
/* ACCESS_DENIED of a member. */
void session_audit_refused(struct membership *m, const char *reason);
/* STALE_TOKEN_REJECTED. token: as the request named it. */
void session_audit_stale(struct membership *m, int64_t token, const char *reason);
/* ACCESS_DENIED of a user whose token is valid. */
void session_audit_refused_user(const struct session *s, const struct auth_identity *identity,
                                const char *reason);
/* SESSION_TERMINATED by an operator; the record's user is the session's. */
void session_audit_terminated(struct session *s, const struct lock_operation *by);
/* Of the instance. reason and detail may be NULL. */
void session_audit_simple(struct gateway *g, enum audit_action action, bool failure,
                          const char *reason, const char *detail);
/* The same, by an operator; NULL: by a signal. */
void session_audit_operated(struct gateway *g, enum audit_action action, bool failure,
                            const struct lock_operation *by);
/* The audit cannot be written, and without it no administrator may act. */
bool session_audit_forbids_admin(const struct gateway *g);
/* The audit cannot be written, and without it nothing may begin. */
bool session_audit_stops_all(const struct gateway *g);

#endif
