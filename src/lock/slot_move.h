/*
 * A slot whose keys are being sent to another node (MIGRATING). Its node answers ASK for keys that
 * it does not have any more, and names the other node. A script uses several keys, so that node can
 * serve the shard only when it has all of them.
 */
#ifndef WSLOCK_SRC_LOCK_SLOT_MOVE_H
#define WSLOCK_SRC_LOCK_SLOT_MOVE_H

#include "state.h"

struct slot_move;

/* Neither may destroy the move. */
struct slot_move_callbacks {
    /* The shard's node has no key of the slot left, and still answers ASK. Called about every 0.2 s
     * as long as that is so. */
    void (*on_emptied)(struct shard *s, const struct redis_address *to);
    /* Called once: the node does not answer ASK any more, or does not answer. at: where MOVED
     * leads, else the node itself. */
    void (*on_over)(struct shard *s, const struct redis_address *at);
};

/* Asks the shard's present node, which is one of a Cluster, on a connection of its own. callbacks
 * is kept (reference). */
struct slot_move *slot_move_create(struct shard *s, unsigned slot,
                                   const struct slot_move_callbacks *callbacks);
/* Not from within a callback. NULL afterwards; may be NULL before. */
void slot_move_destroy(struct slot_move **move);

#endif
