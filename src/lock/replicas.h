/*
 * What the replicas have (redis.waitReplicas): a grant is told only when so many replicas have it.
 * A round writes on a connection of its own and waits there (WAIT), so that calls do not wait
 * behind it. What the server had written before that write is on the replicas when the round
 * succeeds: for each shard everything up to `replicated`.
 */
#ifndef WSLOCK_SRC_LOCK_REPLICAS_H
#define WSLOCK_SRC_LOCK_REPLICAS_H

#include "state.h"

/* Without redis.waitReplicas nothing is connected. */
void replicas_init(struct lock_node *node);
/* Ends what waits, without success. */
void replicas_fini(struct lock_node *node);
/* The same, since the server may be another from now on. */
void replicas_reset(struct lock_node *node, const char *reason);
/* Whether this shows a grant, or a turn, that the replicas may lack. */
bool replicas_lack_event(const struct shard *s, const struct lock_event *event) MUST_CHECK;
bool replicas_lack_result(const struct shard *s, const struct lock_result *result) MUST_CHECK;
/* Waits for everything up to the ticks of the node's shards. The caller keeps `wait` until then. */
void replicas_await(struct lock_node *node, struct replicas_wait *wait);

/* See node_end_asking. */
void replicas_end_asking(struct lock_node *node);

#endif
