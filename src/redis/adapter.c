/* Connects hiredis with a libuv poll handle. */
#include "adapter.h"

#include <sys/ioctl.h>

#include "reply_memory.h"
#include "tls/tls.h"
#include "wslock/base/mem.h"

#define READS_MAX 16 /* a turn of the loop */

struct redis_adapter {
    uv_poll_t poll;
    redisAsyncContext *ac; /* NULL once hiredis has freed it */
    struct redis_adapter_owner owner;
    struct reply_memory replies;
    int wanted; /* UV_READABLE | UV_WRITABLE */
    int armed;  /* the events being polled */
    bool connected;
    bool flushing; /* inside redisAsyncHandleWrite */
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void arm(struct redis_adapter *a) {
    if (a->wanted == a->armed || a->ac == NULL) {
        return;
    }
    a->armed = a->wanted;
    if (a->wanted == 0) {
        uv_poll_stop(&a->poll);
    } else if (uv_poll_start(&a->poll, a->wanted, on_poll) != 0) {
        a->armed = 0;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct redis_adapter *a = poll->data;

    if (status != 0) { /* libuv has stopped polling; hiredis finds the error when it reads */
        a->armed = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (a->ac != NULL && (events & UV_WRITABLE)) {
        redis_adapter_flush(a);
    }
    if (events & UV_READABLE) {
        redis_adapter_read(a);
    }
}

static void add_read(void *ctx) {
    struct redis_adapter *a = ctx;

    a->wanted |= UV_READABLE;
    arm(a);
}

static void del_read(void *ctx) {
    struct redis_adapter *a = ctx;

    a->wanted &= ~UV_READABLE;
    arm(a);
}

static void add_write(void *ctx) {
    struct redis_adapter *a = ctx;

    if (a->connected && !a->flushing) {
        a->owner.on_dirty(a->owner.ctx);
        return;
    }
    a->wanted |= UV_WRITABLE;
    arm(a);
}

static void del_write(void *ctx) {
    struct redis_adapter *a = ctx;

    a->wanted &= ~UV_WRITABLE;
    arm(a);
}

static void on_closed(uv_handle_t *handle) {
    struct redis_adapter *a = handle->data;

    reply_memory_fini(&a->replies);
    mem_free(a);
}

static void cleanup(void *ctx) {
    struct redis_adapter *a = ctx;
    const char *reason = a->ac->err ? a->ac->errstr : "";

    a->owner.on_gone(a->owner.ctx, reason);
    a->ac = NULL;
    uv_close((uv_handle_t *)&a->poll, on_closed);
}

struct redis_adapter *redis_adapter_attach(redisAsyncContext *ac, uv_loop_t *loop,
                                           const struct redis_adapter_owner *owner) {
    struct redis_adapter *a = mem_zalloc(sizeof *a);

    if (uv_poll_init(loop, &a->poll, ac->c.fd) != 0) {
        mem_free(a);
        return NULL;
    }
    a->poll.data = a;
    a->ac = ac;
    a->owner = *owner;
    reply_memory_init(&a->replies);
    reply_memory_use(&a->replies, ac->c.reader);
    ac->ev.data = a;
    ac->ev.addRead = add_read;
    ac->ev.delRead = del_read;
    ac->ev.addWrite = add_write;
    ac->ev.delWrite = del_write;
    ac->ev.cleanup = cleanup;
    return a;
}

void redis_adapter_set_connected(struct redis_adapter *a) {
    a->connected = true;
}

static bool has_more(const struct redis_adapter *a) {
    int bytes = 0;

    return ioctl(a->ac->c.fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* hiredis reads 16 KiB at a time. Reads repeatedly, so that replies that have arrived do not wait
 * for further turns of the loop. */
void redis_adapter_read(struct redis_adapter *a) {
    for (int i = 0; i < READS_MAX && a->ac != NULL && (i == 0 || has_more(a)); i++) {
        redis_tls_clear_errors();
        redisAsyncHandleRead(a->ac);
    }
}

void redis_adapter_send(struct redis_adapter *a) {
    int done = 0;

    if (a->ac != NULL && a->connected && !a->flushing) {
        redis_tls_clear_errors();
        (void)redisBufferWrite(&a->ac->c, &done);
    }
}

void redis_adapter_flush(struct redis_adapter *a) {
    a->flushing = true;
    redis_tls_clear_errors();
    redisAsyncHandleWrite(a->ac);
    a->flushing = false;
}
