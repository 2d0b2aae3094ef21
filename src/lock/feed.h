/* The streams of events of all shards. */
#ifndef WSLOCK_SRC_LOCK_FEED_H
#define WSLOCK_SRC_LOCK_FEED_H

#include "state.h"

/* name: of the connection. */
void feed_init(struct lock_store *store, const char *name);
void feed_fini(struct lock_store *store);
/* Starts the next read if possible: connected, every shard positioned, no read under way. */
void feed_read(struct lock_store *store);
/* Takes the events of a reply, after it was handled, if they come next after the last event taken.
 * Otherwise they come with the stream. */
void feed_take_reply(struct shard *s, const struct lock_result *result);
/* Connects again. */
void feed_reset(struct lock_store *store, const char *reason);

#endif
