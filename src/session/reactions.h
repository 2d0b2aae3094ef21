/* What the store and the rooms tell the gateway, and what follows for the sessions. */
#ifndef WSLOCK_SESSION_REACTIONS_H
#define WSLOCK_SESSION_REACTIONS_H

#include "wslock/lock/lock.h"

struct gateway;

struct lock_store_callbacks reactions_to_store(struct gateway *g);
/* What the rooms tell (rooms_create). ctx: the gateway. */
void reactions_on_reported(void *ctx, const struct lock_result *result);
void reactions_on_superseded(void *ctx, struct str session_id);

#endif
