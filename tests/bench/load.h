/*
 * Many WebSocket connections of one process, on bare epoll: connect, TLS if wanted, upgrade,
 * messages. Source addresses go through 127.0.0.2 and on, so that ephemeral ports do not run out;
 * closing resets, so that none stay behind in TIME_WAIT.
 */
#ifndef WSLOCK_BENCH_LOAD_H
#define WSLOCK_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/macros.h"

struct load;

struct load_ops {
    void (*on_open)(void *ctx, unsigned index);
    /* A text message; borrowed. */
    void (*on_text)(void *ctx, unsigned index, const char *text, size_t len);
    /* The connection ended by the other side, or could not be made; code 0: without a close frame.
     */
    void (*on_close)(void *ctx, unsigned index, unsigned code);
    void *ctx;
};

/* Connections have the numbers 0 to count - 1. To a port of 127.0.0.1; `path` is a constant. */
struct load *load_create(unsigned count, uint16_t port, bool tls, const char *path,
                         const struct load_ops *ops);
/* Resets what is open. */
void load_destroy(struct load **l);
/* Starts connection `index`, which is not open. False if no socket could be had. */
bool load_connect(struct load *l, unsigned index) MUST_CHECK;
void load_send(struct load *l, unsigned index, const char *text, size_t len);
/* Resets the connection, without a callback. */
void load_abort(struct load *l, unsigned index);
/* Bytes that have come since the start; over TLS without its own. */
uint64_t load_received(const struct load *l);
/* Handles what has come, waiting for at most timeout_ms. */
void load_poll(struct load *l, int timeout_ms);

#endif
