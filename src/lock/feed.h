/* The event streams of the shards of a node. */
#ifndef WSLOCK_SRC_LOCK_FEED_H
#define WSLOCK_SRC_LOCK_FEED_H

#include "state.h"

/* name: of the connection. */
void feed_init(struct lock_node *node, const char *name);
void feed_fini(struct lock_node *node);
/* Starts the next read if possible: connected, every shard of the node positioned, no read under
 * way. */
void feed_read(struct lock_node *node);
/* Takes the events of a reply, after it was handled, if they come next after the last event taken.
 * Otherwise they come with the stream. */
void feed_take_reply(struct shard *s, const struct lock_result *result);
/* Connects again. */
void feed_reset(struct lock_node *node, const char *reason);

#endif
