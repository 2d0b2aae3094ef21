/*
 * hiredis on libuv. hiredis' own adapter hides connection errors and registers the descriptor again
 * at each change of the events. This one polls for reading all the time. Output waits until the
 * owner flushes it, once per loop iteration. The descriptor is polled for writing only while it
 * connects or while the kernel's buffer is full.
 */
#ifndef WSLOCK_SRC_REDIS_ADAPTER_H
#define WSLOCK_SRC_REDIS_ADAPTER_H

#include <uv.h>

#include "hiredis_api.h"

struct redis_adapter;

struct redis_adapter_owner {
    /* Output is pending: call redis_adapter_flush soon, not from this callback. */
    void (*on_dirty)(void *ctx);
    /* hiredis frees the context; reason is "" after a redisAsyncFree of ours. Reply callbacks
     * may still follow (hiredis 1.x), all before the hiredis call returns. */
    void (*on_gone)(void *ctx, const char *reason);
    void *ctx;
};

/* Binds a context to the loop. The adapter frees itself when hiredis frees the context. NULL when
 * the descriptor cannot be watched. */
struct redis_adapter *redis_adapter_attach(redisAsyncContext *ac, uv_loop_t *loop,
                                           const struct redis_adapter_owner *owner) MUST_CHECK;
/* From now on writes are attempted without asking the kernel first. */
void redis_adapter_set_connected(struct redis_adapter *a);
void redis_adapter_flush(struct redis_adapter *a);
/* Writes what the socket takes now. Also from within a callback of hiredis: if the connection has
 * failed, the next flush finds that. */
void redis_adapter_send(struct redis_adapter *a);
/* Reads replies that have arrived, without waiting for the loop. */
void redis_adapter_read(struct redis_adapter *a);

#endif
