/* A node: its connections, what reads on them, and what watches them. */
#ifndef WSLOCK_SRC_LOCK_NODE_H
#define WSLOCK_SRC_LOCK_NODE_H

#include "state.h"

/* Connects to the configured server, which has all shards. */
void node_create(struct lock_store *store);
/* Calls that are under way end here. */
void node_destroy(struct lock_node *node);

#endif
