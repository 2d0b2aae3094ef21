/* The event streams of shards. */
#ifndef WSLOCK_SRC_LOCK_FEED_H
#define WSLOCK_SRC_LOCK_FEED_H

#include "state.h"

/* Reads the events of these shards of the node, which get it as their feed. */
void feed_create(struct lock_node *node, struct shard *const *shards, unsigned count);
/* Its feed reads this shard no more. The last shard ends the feed. */
void feed_drop(struct shard *s);
/* Starts the next read if possible: connected, every shard positioned, no read under way. */
void feed_read(struct feed *feed);
/* Call it after the reply was handled. Takes the events of the reply if the first of them follows
 * directly on the last event taken. Otherwise they are taken later, from the stream. */
void feed_take_reply(struct shard *s, const struct lock_result *result);
/* Closes the connection of the feed; it is then made again. */
void feed_reset(struct feed *feed, const char *reason);

#endif
