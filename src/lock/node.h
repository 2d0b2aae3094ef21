/* A node: its connections, what reads on them, and what watches them. */
#ifndef WSLOCK_SRC_LOCK_NODE_H
#define WSLOCK_SRC_LOCK_NODE_H

#include "state.h"

/* Connects to the configured server, which has all shards. */
void node_create(struct lock_store *store);
/* Connects to a node of a Cluster, which has no shards yet. */
struct lock_node *node_create_at(struct lock_store *store, const struct redis_address *address);
/* Takes a shard from its node. It is away, and its events are read on a connection of its own. */
void node_take(struct lock_node *node, struct shard *s);
/* Its slots have been moved here: ASKING is sent no more. */
void node_end_asking(struct lock_node *node);
/* Calls that are under way end here. */
void node_destroy(struct lock_node *node);

#endif
