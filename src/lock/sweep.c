/*
 * Makes what is due happen without anybody asking. A sweep is asked for when the earliest deadline
 * known has come, and every second or so besides, for deadlines that only other instances know.
 */
#include "store_private.h"

#include "wslock/base/clock.h"

#define SWEEP_IDLE_MS 1000
#define SWEEP_IDLE_MS_PER_SHARD 10
#define SWEEP_JITTER_MS 500
#define SWEEP_PAUSE_MS 50   /* between two sweeps of a shard; doubles with each that failed … */
#define SWEEP_FAILED_MAX 9  /* … up to 25.6 s */
#define SWEEP_REFUSED_MAX 4 /* where the store refused it: it may be back soon */
#define SWEEP_MEMBERS 100
#define SWEEP_EVENTS 100000 /* entries of a shard's streams that are kept at most */
#define SWEEP_AUDIT 10000

static void sweep(struct shard *s);

static void on_timer(struct wheel_timer *timer) {
    struct shard *s = CONTAINER_OF(timer, struct shard, sweep_timer);

    if (shard_serves(s)) {
        sweep(s);
    }
}

void sweep_schedule(struct shard *s) {
    const struct lock_store *store = s->store;
    uint64_t wait_ms = SWEEP_IDLE_MS + (uint64_t)store->shard_count * SWEEP_IDLE_MS_PER_SHARD +
                       rand_below(SWEEP_JITTER_MS);
    uint64_t since_ms = clock_boot_ms() - s->swept_ms;
    uint64_t pause_ms = (uint64_t)SWEEP_PAUSE_MS << s->sweeps_failed;

    if (s->state != SHARD_SERVING || s->sweeping) {
        return;
    }
    if (s->next_due_ms != 0) {
        int64_t until_ms = s->next_due_ms - lock_store_now_ms(store);

        if (until_ms < (int64_t)wait_ms) {
            wait_ms = until_ms > 0 ? (uint64_t)until_ms : 0;
        }
    }
    if (wait_ms + since_ms < pause_ms) {
        wait_ms = pause_ms - since_ms;
    }
    wheel_set(store->wheel, &s->sweep_timer, wait_ms, on_timer);
}

static void on_swept(struct script_call *call, const struct script_head *head,
                     const struct lock_result *result) {
    struct shard *s = call->shard;
    const struct lock_store_callbacks *callbacks = &s->store->callbacks;

    s->sweeping = false;
    if (s->store->closing) {
        return;
    }
    if (result->status != LOCK_OK &&
        s->sweeps_failed <
            (result->status == LOCK_UNKNOWN ? SWEEP_FAILED_MAX : SWEEP_REFUSED_MAX)) {
        s->sweeps_failed++;
    }
    if (result->status == LOCK_OK) {
        s->sweeps_failed = 0;
        if (head->unreadable) {
            log_error("sweep_unreadable", LFI("shard", s->index), LF("advice", "see Redis's log"));
        }
        s->next_due_ms = head->more ? head->now_ms : head->next_ms;
        for (size_t i = 0; i < result->event_count; i++) {
            callbacks->on_unasked(callbacks->ctx, &result->events[i], false);
        }
        if (result->held_count == 2) {
            audit_recovery_read_dead(s, result->held[0], result->held[1]);
        }
    }
    sweep_schedule(s);
}

static void sweep(struct shard *s) {
    struct script_args a;

    s->sweeping = true;
    s->swept_ms = clock_boot_ms();
    args_init(&a, &s->store->packed);
    args_keys_shard(&a, &s->keys);
    args_not_after(&a, s->store);
    args_int(&a, SWEEP_MEMBERS);
    args_int(&a, s->store->config->redis.lease_ms);
    args_int(&a, SWEEP_EVENTS);
    args_int(&a, SWEEP_AUDIT);
    script_send(s, &lock_script_sweep, &a, on_swept, NULL, NULL);
}
