/* Compares the store's members of this instance with its sessions. */
#ifndef WSLOCK_SRC_LOCK_RECONCILE_H
#define WSLOCK_SRC_LOCK_RECONCILE_H

#include "state.h"

void reconcile_init(struct lock_store *store);
void reconcile_fini(struct lock_store *store);
/* While it runs: once more afterwards. */
void reconcile_begin(struct lock_store *store);
void reconcile_stop(struct lock_store *store);

#endif
