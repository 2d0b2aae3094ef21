/* The other instances and the ends of their leases. */
#ifndef WSLOCK_SRC_LOCK_INSTANCES_H
#define WSLOCK_SRC_LOCK_INSTANCES_H

#include "state.h"

void instances_init(struct lock_store *store);
void instances_fini(struct lock_store *store);
/* Reads them from the store. */
void instances_refresh(struct lock_store *store);
/* Arguments of report_done: each instance whose editors may still rely on their locks, and the end
 * of its last lease in store time. */
void instances_add(struct lock_store *store, struct script_args *a);

#endif
