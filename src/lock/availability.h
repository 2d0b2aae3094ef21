/*
 * The store as a whole: up or away. It is up when every shard is served and the events are read. It
 * goes away when the connection is lost, or when watch.c finds that something has not succeeded for
 * two intervals of lease renewal.
 */
#ifndef WSLOCK_SRC_LOCK_AVAILABILITY_H
#define WSLOCK_SRC_LOCK_AVAILABILITY_H

#include "state.h"

void store_set_problem(struct lock_store *store, const char *problem);
/* Nothing can be served, for this reason. Shards are opened again where that is possible. */
void store_mark_away(struct lock_store *store, const char *reason);
/* Opens the shards that are away, if the server is usable and events can be read. */
void store_open(struct lock_store *store);
/* Up if every shard is served and the events are read. */
void store_check_recovered(struct lock_store *store);
/* Connects again, because the connection leads to a server that is not usable; but not if it was
 * made only just now. */
void store_leave_server(struct lock_store *store, const char *why);
/* At the start the program ends; later the store is away. */
void store_unusable(struct lock_store *store, const char *problem);

#endif
