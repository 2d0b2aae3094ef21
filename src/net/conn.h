/* A connection: its timer, its input buffer, and how it is cut. */
#ifndef WSLOCK_NET_CONN_H
#define WSLOCK_NET_CONN_H

#include "state.h"

/* From net.incoming. */
struct conn *conn_create(struct net *n, struct lws *wsi);
void conn_destroy(struct conn *c);

/* Gives the next request NET_HANDSHAKE_TIMEOUT_MS. */
void conn_await_request(struct conn *c);
/* Cuts the connection after this time. Replaces the timer's former purpose. */
void conn_end_after(struct conn *c, uint64_t ms);
/* Cuts the connection in the next turn of the loop. */
void conn_fail(struct conn *c);
/* Sends TLS's close_notify and shuts the socket down. how: as for shutdown(). */
void conn_shutdown(struct conn *c, int how);

/* Removes the first len bytes of rx and returns them; the caller frees them. */
struct buf conn_take(struct conn *c, size_t len);
void conn_pause(struct conn *c, bool paused);

#endif
