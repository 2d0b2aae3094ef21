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
/* Call it after the reply was handled. Takes the events of the reply if the first of them follows
 * directly on the last event taken. Otherwise they are taken later, from the stream. */
void feed_take_reply(struct shard *s, const struct lock_result *result);
/* Closes the connection of the feed; it is then made again. */
void feed_reset(struct lock_node *node, const char *reason);

#endif
