/* Which node has which shard, in a Redis Cluster. */
#ifndef WSLOCK_SRC_LOCK_PLACEMENT_H
#define WSLOCK_SRC_LOCK_PLACEMENT_H

#include "state.h"

/* Asks where the slots are, if the configuration has redis.cluster. */
void placement_init(struct lock_store *store);
void placement_fini(struct lock_store *store);
/* The configured server is a node of a Cluster. Asks where the slots are, unless that was done. */
void placement_begin(struct lock_store *store);
/* The node of the shard has refused a call: the shard may be elsewhere. */
void placement_note_refused(struct shard *s, const char *error);
/* A node is not up: its shards may be elsewhere. */
void placement_doubt(struct lock_store *store);

#endif
