/*
 * One connection to one Sentinel: asks for the master's address and subscribes to its changes in
 * the same write, so that no change falls between the two. Then it watches, and sends PING to see
 * that the Sentinel still answers.
 */
#ifndef WSLOCK_SRC_REDIS_SENTINEL_CONN_H
#define WSLOCK_SRC_REDIS_SENTINEL_CONN_H

#include <uv.h>

#include "sentinel_reply.h"
#include "tls/tls.h"

#define SENTINEL_ASK_MS 500   /* from the beginning to the address, names included */
#define SENTINEL_PING_MS 1000 /* between two; one without an answer ends the connection */

struct sentinel_conn;

/* None is called from within a function of this header. In each of them the connection may be
 * closed. */
struct sentinel_conn_callbacks {
    void (*on_address)(void *ctx, const struct redis_address *address); /* the answer */
    void (*on_watching)(void *ctx); /* the subscription is confirmed */
    void (*on_switch)(void *ctx, const struct redis_address *address);
    /* Nothing follows: close it. */
    void (*on_end)(void *ctx, struct sentinel_conn *conn, const char *reason);
    void *ctx;
};

/* node: "host:port" or "[address]:port" of the configuration. config and tls (NULL without TLS) are
 * borrowed until it is closed. */
struct sentinel_conn *sentinel_conn_open(uv_loop_t *loop, const struct config *config,
                                         struct redis_tls *tls, const char *node,
                                         const struct sentinel_conn_callbacks *callbacks);
/* Its handles close asynchronously. NULL afterwards; may be NULL before. */
void sentinel_conn_close(struct sentinel_conn **conn);
const char *sentinel_conn_node(const struct sentinel_conn *conn);

#endif
