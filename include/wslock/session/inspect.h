/*
 * What an operator reads: the locks of all instances. The caller has checked the operator's rights,
 * and calls gateway_record_query first.
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

#endif
