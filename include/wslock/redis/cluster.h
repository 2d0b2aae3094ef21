/*
 * Which master of a Redis Cluster has which slots. One node is asked (CLUSTER SLOTS): of those that
 * the configuration names (redis.cluster, or the node that redis.url leads to) and of the masters
 * that were heard of. If it does not answer, or answers what cannot be right, the next one is
 * asked.
 */
#ifndef WSLOCK_REDIS_CLUSTER_H
#define WSLOCK_REDIS_CLUSTER_H

#include "wslock/config/config.h"
#include "wslock/redis/address.h"

typedef struct uv_loop_s uv_loop_t;

#define REDIS_SLOTS 16384

struct redis_cluster;
struct redis_cluster_map; /* borrowed: dies when the callback returns */

/* May come from any callback of the loop, but not from within a function of this header. */
struct redis_cluster_callbacks {
    void (*on_map)(void *ctx, const struct redis_cluster_map *map);
    /* No node has told where the slots are. All of them are asked again after a pause. */
    void (*on_fail)(void *ctx, const char *reason);
    void *ctx;
};

/* The master of a slot; NULL: it has none. */
const struct redis_address *redis_cluster_master(const struct redis_cluster_map *map,
                                                 unsigned slot);

/* Asks at once, and every five seconds. config is kept (reference). */
struct redis_cluster *redis_cluster_create(uv_loop_t *loop, const struct config *config,
                                           const char *name,
                                           const struct redis_cluster_callbacks *callbacks);
/* Its handles close asynchronously. Not from within one of its callbacks. NULL afterwards; may be
 * NULL before. */
void redis_cluster_destroy(struct redis_cluster **cluster);
/* What the last map said does not hold: another node is asked soon. */
void redis_cluster_doubt(struct redis_cluster *cluster);

/* Whether an error says that a slot is at another node ("MOVED <slot> <host>:<port>"), or is being
 * moved there and some keys may be there already ("ASK …", sets `asking`). from: the node that sent
 * it, for an answer without a host. */
bool redis_cluster_redirect(const char *error, const struct redis_address *from,
                            struct redis_address *out) MUST_CHECK;

#endif
