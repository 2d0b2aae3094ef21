/* Compares the members that the store has of this instance with its sessions: callbacks of the lock
 * store (lock.h). ctx: the gateway. */
#ifndef WSLOCK_SESSION_RECONCILE_H
#define WSLOCK_SESSION_RECONCILE_H

#include <stdbool.h>

#include "wslock/base/str.h"

void reconcile_begin(void *ctx);
bool reconcile_member(void *ctx, struct str session_id, struct str resource);
void reconcile_end(void *ctx);

#endif
