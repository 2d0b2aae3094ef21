/* A node: its connections, what reads on them, and what watches them. */
#ifndef WSLOCK_SRC_LOCK_NODE_H
#define WSLOCK_SRC_LOCK_NODE_H

#include "state.h"

/* Connects. The node has its shards already. */
void node_init(struct lock_node *node);
/* Calls that are under way end here. */
void node_fini(struct lock_node *node);

#endif
