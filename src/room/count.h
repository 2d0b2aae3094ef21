/* Locks and waiters by type, for the metrics. */
#ifndef WSLOCK_SRC_ROOM_COUNT_H
#define WSLOCK_SRC_ROOM_COUNT_H

struct rooms;

void room_counts_init(struct rooms *r);
void room_counts_fini(struct rooms *r);

#endif
