/* A record is on the disk, or its write has failed, or has taken too long. */
#include "sync_wait.h"

#include "wslock/base/mem.h"

bool sync_wait_take_done(struct list *waiters, const struct writer_state *state, uint64_t now_ms,
                         struct list *done) {
    bool stalled = false;
    list_init(done);
    LIST_FOREACH_ENTRY(struct sync_wait, waiter, node, waiters) {
        const bool late = waiter->deadline_ms <= now_ms;
        waiter->ok = waiter->seq <= state->durable_seq;
        if (!waiter->ok && !late && waiter->failures_seen == state->failures) {
            continue;
        }
        stalled |= !waiter->ok && late && waiter->seq != SYNC_NEVER_COMMITTED;
        list_remove(&waiter->node);
        list_push_back(done, &waiter->node);
    }
    return stalled;
}

void sync_wait_tell(struct list *done) {
    LIST_FOREACH_ENTRY(struct sync_wait, waiter, node, done) {
        waiter->on_done(waiter->ctx, waiter->ok);
        mem_free(waiter);
    }
}

uint64_t sync_wait_left_ms(const struct list *waiters, uint64_t now_ms) {
    const struct sync_wait *oldest = CONTAINER_OF(waiters->next, struct sync_wait, node);
    return oldest->deadline_ms > now_ms ? oldest->deadline_ms - now_ms : 0;
}
