/*
 * What an operator reads: the locks of all instances, the sessions of this one. The caller has
 * checked the operator's rights, and calls gateway_record_query first.
 */
#ifndef WSLOCK_SESSION_INSPECT_H
#define WSLOCK_SESSION_INSPECT_H

#include "wslock/base/macros.h"
#include "wslock/lock/lock.h"
#include "wslock/wire/resource.h"

struct gateway;

/* Records ADMIN_QUERY. by: actor, which may be empty, and origin. resource: or empty. what: is
 * read. False: the audit cannot be written, and audit.onFailure forbids it then. */
bool gateway_record_query(struct gateway *g, const struct lock_operation *by, struct str resource,
                          const char *what) MUST_CHECK;
/* As lock_list. */
bool gateway_list_locks(struct gateway *g, const struct lock_filter *filter, lock_list_cb cb,
                        void *arg) MUST_CHECK;
/* As lock_inspect. resource: of a known type. user_id: may be empty. */
void gateway_inspect_lock(struct gateway *g, const struct wire_resource *resource,
                          struct str user_id, lock_inspect_cb cb, void *arg);
/* The policy of a resource of a known type, valid for this turn of the loop. */
const struct config_policy *gateway_policy_of(const struct gateway *g,
                                              const struct wire_resource *resource);

/* A session that is authenticated. Strings are borrowed for the callback. */
struct session_view {
    struct str session_id, user_id, username;
    struct str client_id; /* empty: not known yet */
    struct str address, user_agent;
    const char *framing, *transport;
    int64_t connected_ms, token_expires_ms; /* this machine's clock, since the Unix epoch */
    const char *const *roles;
    size_t role_count;
    size_t rooms, locks; /* joined, or being joined or left; of which it has the lock */
};

struct session_filter { /* borrowed for the call */
    struct str user_id; /* or empty */
    struct str after;   /* only sessions behind this id, in the order of bytes; or empty */
    size_t limit;       /* at least 1 */
};

#define SESSION_LISTINGS_MAX 16 /* at once */

/* next: behind which further sessions are; NULL: there are none. */
typedef void (*session_list_cb)(void *arg, const struct session_view *sessions, size_t count,
                                const char *next);
/* cb is called once, perhaps from inside. False: SESSION_LISTINGS_MAX are being made, and cb is not
 * called. */
bool gateway_list_sessions(struct gateway *g, const struct session_filter *filter,
                           session_list_cb cb, void *arg) MUST_CHECK;

#endif
