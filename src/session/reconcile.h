/* Compares the members that the store has of this instance with its sessions: callbacks of the lock
 * store (lock.h). ctx: the gateway. */
#ifndef WSLOCK_SESSION_RECONCILE_H
#define WSLOCK_SESSION_RECONCILE_H

#include <stdbool.h>

#include "wslock/base/str.h"

void session_reconcile_begin(void *ctx);
bool session_reconcile_member(void *ctx, struct str session_id, struct str resource);
void session_reconcile_end(void *ctx);

#endif
