/*
 * Sweeps settle what is due in a shard: locks that expire, members of dead instances. A sweep runs
 * when the earliest known deadline has come, and about every second for deadlines that only other
 * instances know.
 */
#include "sweep.h"

#include "audit_recovery.h"
#include "script.h"
#include "shard.h"
#include "store_time.h"

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"

#define SWEEP_IDLE_MS 1000
#define SWEEP_IDLE_MS_PER_SHARD 10
#define SWEEP_JITTER_MS 500
#define SWEEP_PAUSE_MS 50   /* between two sweeps of a shard; doubles after each failure … */
#define SWEEP_FAILED_MAX 9  /* … up to 25.6 s, … */
#define SWEEP_REFUSED_MAX 4 /* … or up to 800 ms if the store refused it */
#define SWEEP_MEMBERS 100   /* of dead instances, removed by one sweep */
#define SWEEP_EVENTS 100000 /* the streams of a shard are trimmed to so many entries */
#define SWEEP_AUDIT 10000

struct sweep {
    struct shard *shard;
    int64_t next_due_ms; /* the earliest known deadline; 0: none */
    uint64_t sent_ms;    /* boot time of the last sweep */
    bool running;
    unsigned failed; /* failures since the last success */
    struct wheel_timer timer;
};

static void sweep(struct shard *s);

static void on_timer(struct wheel_timer *timer) {
    struct shard *s = CONTAINER_OF(timer, struct sweep, timer)->shard;

    if (shard_serves(s)) {
        sweep(s);
    }
}

void sweep_schedule(struct shard *s) {
    const struct lock_store *store = s->store;
    struct sweep *w = s->sweep;
    uint64_t wait_ms = SWEEP_IDLE_MS + (uint64_t)store->shard_count * SWEEP_IDLE_MS_PER_SHARD +
                       rand_below(SWEEP_JITTER_MS);
    uint64_t since_ms = clock_boot_ms() - w->sent_ms;
    uint64_t pause_ms = (uint64_t)SWEEP_PAUSE_MS << w->failed;

    if (s->state != SHARD_SERVING || w->running) {
        return;
    }
    if (w->next_due_ms != 0) {
        int64_t until_ms = w->next_due_ms - node_now_ms(s->node);

        if (until_ms < (int64_t)wait_ms) {
            wait_ms = until_ms > 0 ? (uint64_t)until_ms : 0;
        }
    }
    if (wait_ms + since_ms < pause_ms) {
        wait_ms = pause_ms - since_ms;
    }
    wheel_set(store->wheel, &w->timer, wait_ms, on_timer);
}

void sweep_note(struct shard *s, const struct script_reply *reply) {
    struct sweep *w = s->sweep;

    if (reply->next_ms > 0 && (w->next_due_ms == 0 || reply->next_ms < w->next_due_ms)) {
        w->next_due_ms = reply->next_ms;
        sweep_schedule(s);
    }
}

static void on_swept(struct script_call *call, const struct script_reply *reply) {
    struct shard *s = call->shard;
    enum lock_status status = reply->common.status;
    struct sweep *w = s->sweep;

    w->running = false;
    if (s->store->closing) {
        return;
    }
    if (status != LOCK_OK &&
        w->failed < (status == LOCK_UNKNOWN ? SWEEP_FAILED_MAX : SWEEP_REFUSED_MAX)) {
        w->failed++;
    }
    if (status == LOCK_OK) {
        w->failed = 0;
        if (reply->unreadable) {
            log_error("sweep_unreadable", LFI("shard", s->index),
                      LF("advice", "the Redis log names the resource"));
        }
        w->next_due_ms = reply->more ? reply->common.now_ms : reply->next_ms;
        store_tell_unasked(s->store, &reply->common);
        if (reply->name_count == 2) {
            audit_recovery_read_dead(s, reply->names[0], reply->names[1]);
        }
    }
    sweep_schedule(s);
}

static void sweep(struct shard *s) {
    struct script_args a;

    s->sweep->running = true;
    s->sweep->sent_ms = clock_boot_ms();
    args_init(&a, &s->store->packed);
    args_keys_shard(&a, &s->keys);
    args_not_after(&a, s->node);
    args_int(&a, SWEEP_MEMBERS);
    args_int(&a, s->store->config->redis.lease_ms);
    args_int(&a, SWEEP_EVENTS);
    args_int(&a, SWEEP_AUDIT);
    script_send(s, &lock_script_sweep, &a, on_swept, (struct script_cb){0});
}

void sweep_init(struct shard *s) {
    s->sweep = mem_zalloc(sizeof *s->sweep);
    s->sweep->shard = s;
    wheel_timer_init(&s->sweep->timer);
}

void sweep_fini(struct shard *s) {
    wheel_cancel(&s->sweep->timer);
    mem_free(s->sweep);
}
