/* Settles what is due in a shard. */
#ifndef WSLOCK_SRC_LOCK_SWEEP_H
#define WSLOCK_SRC_LOCK_SWEEP_H

#include "state.h"

void sweep_init(struct shard *s);
void sweep_fini(struct shard *s);
/* The shard is served: sets the time of its next sweep. */
void sweep_schedule(struct shard *s);
/* A reply may name an earlier deadline. */
void sweep_note(struct shard *s, const struct script_reply *reply);

#endif
