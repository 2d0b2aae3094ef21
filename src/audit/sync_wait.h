/* Who waits until records are on the disk. */
#ifndef AUDIT_SYNC_WAIT_H
#define AUDIT_SYNC_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "writer.h"
#include "wslock/base/list.h"

/* What a waiter waits for whose record was dropped. */
#define SYNC_NEVER_COMMITTED UINT64_MAX

struct sync_wait {
    struct list node;
    uint64_t seq;           /* done when this is committed */
    uint64_t failures_seen; /* failed when the writer has had more */
    uint64_t deadline_ms;   /* of uv_now */
    bool ok;                /* once taken off the list */
    void (*on_done)(void *ctx, bool ok);
    void *ctx;
};

/* Moves every waiter whose outcome is known to *done, which need not be initialized. now_ms:
 * deadlines up to then have passed. Returns whether one
 * has waited for a record until its deadline. */
bool sync_wait_take_done(struct list *waiters, const struct writer_state *state, uint64_t now_ms,
                         struct list *done) MUST_CHECK;
/* Tells and frees them. */
void sync_wait_tell(struct list *done);
/* How long until the first deadline. The list is not empty, and oldest first. */
uint64_t sync_wait_left_ms(const struct list *waiters, uint64_t now_ms) MUST_CHECK;

#endif
