/*
 * A node is up when each of its shards is served and its events are read. It goes away when the
 * connection to it is lost, or when watch.c finds that something has not succeeded for two
 * intervals of lease renewal. The store is up when every node is: clients know only one state. The
 * shards of the other nodes are served all the time.
 */
#ifndef WSLOCK_SRC_LOCK_AVAILABILITY_H
#define WSLOCK_SRC_LOCK_AVAILABILITY_H

#include "state.h"

/* Why the store is not up; the text begins with the node's address. True: it is not
 * what it was before. */
bool store_set_problem(const struct lock_node *node, const char *problem);
/* No shard of the node is served. They are opened again as soon as that is possible. */
void node_mark_away(struct lock_node *node, const char *reason);
/* Shards of the node were made away. */
void node_note_away(struct lock_node *node, const char *reason);
/* Shards may have moved to other nodes, which have not opened them yet. */
void store_check_moved(struct lock_store *store);
/* Opens the shards that are away, where the server is usable and events can be read. */
void store_open(struct lock_store *store);
/* Up if every shard is served and the events are read. */
void store_check_recovered(struct lock_store *store);
/* Closes the connection, so that it is made again, because its server is not usable. A connection
 * younger than LOCK_RETRY_MS is kept. */
void node_leave_server(struct lock_node *node, const char *why);
/* The server cannot be used. If the store was never up, the program ends. */
void node_unusable(struct lock_node *node, const char *problem);

#endif
