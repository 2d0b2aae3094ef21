/* What a node of a Cluster answers, checked. */
#ifndef WSLOCK_SRC_REDIS_CLUSTER_REPLY_H
#define WSLOCK_SRC_REDIS_CLUSTER_REPLY_H

#include "wslock/redis/cluster.h"
#include "wslock/redis/link.h"

#define CLUSTER_MASTERS_MAX 1000 /* as Redis recommends */

struct redis_cluster_map {
    struct redis_address masters[CLUSTER_MASTERS_MAX];
    unsigned master_count;
    uint16_t owner[REDIS_SLOTS]; /* index of the master + 1; 0: none */
};

/* Reads the reply to CLUSTER SLOTS. host: of the node that was asked, for masters without a host;
 * NULL: not known. False: *problem is static text, and *map is not to be used. */
bool cluster_reply_map(const struct redis_reply *reply, const char *host,
                       struct redis_cluster_map *map, const char **problem) MUST_CHECK;

#endif
