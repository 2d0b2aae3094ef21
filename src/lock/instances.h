/* The other instances and the ends of their leases. */
#ifndef WSLOCK_SRC_LOCK_INSTANCES_H
#define WSLOCK_SRC_LOCK_INSTANCES_H

#include "state.h"

void instances_init(struct lock_store *store);
void instances_fini(struct lock_store *store);
/* Reads them from the store. All instances have a lease in every shard, so any one will do. */
void instances_refresh(struct shard *s);
/* Arguments of report_done of a shard: each instance whose editors may still rely on their locks,
 * and the end of its last lease in store time. */
void instances_add(const struct shard *s, struct script_args *a);

#endif
