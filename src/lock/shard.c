/* The states of a shard: opened, leased, reported, served. */
#include "shard.h"

#include <stdio.h>

#include "audit_recovery.h"
#include "endings.h"
#include "instances.h"
#include "store_time.h"

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#define SCHEMA 2
#define SCHEMA_OLDEST 1 /* that can be read: locks and members without pages */

static void renew(struct shard *s);
static void begin_sync(struct shard *s);

/* ---- keys and life ---- */

static void make_keys(struct shard *s, const char *prefix) {
    struct str *const keys[] = {&s->keys.tag,     &s->keys.meta,    &s->keys.due,
                                &s->keys.events,  &s->keys.audit,   &s->keys.instances,
                                &s->keys.written, &s->keys.instance};
    static const char *const names[] = {"",      "meta",      "due",     "events",
                                        "audit", "instances", "written", "instance:"};
    size_t room = strlen(prefix) + 48, used = 0;

    s->key_text = mem_alloc(room * ARRAY_LEN(keys));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *tail = i == ARRAY_LEN(keys) - 1 ? s->store->incarnation : "";
        int len =
            snprintf(s->key_text + used, room, "{%s:%u}:%s%s", prefix, s->index, names[i], tail);

        *keys[i] = (struct str){s->key_text + used, (size_t)len};
        used += (size_t)len;
    }
}

void shard_init(struct shard *s, struct lock_store *store, unsigned index) {
    s->store = store;
    s->index = index;
    s->state = SHARD_AWAY;
    list_init(&s->held);
    make_keys(s, store->config->redis.key_prefix);
    wheel_timer_init(&s->lease_timer);
    wheel_timer_init(&s->retry_timer);
}

void shard_away(struct shard *s) {
    s->state = SHARD_AWAY;
    s->problem[0] = '\0';
    wheel_cancel(&s->lease_timer);
    wheel_cancel(&s->retry_timer);
}

void shard_fini(struct shard *s) {
    shard_away(s);
    mem_free(s->key_text);
}

void shard_note(struct shard *s, const struct script_reply *reply) {
    if (reply->status != SCRIPT_OK && reply->status != SCRIPT_LATE) {
        return; /* rev is not a tick of the store */
    }
    s->tick = reply->common.rev > s->tick ? reply->common.rev : s->tick;
    s->window = reply->window;
    if (reply->window == 0) {
        s->contact_ms = reply->common.now_ms;
    }
}

bool shard_is_leased(const struct shard *s, uint64_t now_ms) {
    return s->lease_sent_ms != 0 &&
           now_ms - s->lease_sent_ms < (uint64_t)s->store->config->redis.lease_ms;
}

static void note_served(struct shard *s) {
    s->served_ms = clock_boot_ms();
    s->problem[0] = '\0';
}

/* ---- opening ---- */

static void on_retry(struct wheel_timer *timer) {
    struct shard *s = CONTAINER_OF(timer, struct shard, retry_timer);

    switch (s->state) {
    case SHARD_AWAY:
    case SHARD_SERVING:
        return;
    case SHARD_OPENING:
        shard_open(s);
        return;
    case SHARD_SYNCING:
        begin_sync(s);
        return;
    }
}

static void retry_later(struct shard *s) {
    wheel_set(s->store->wheel, &s->retry_timer, LOCK_RETRY_MS, on_retry);
}

/* The store belongs to another deployment. */
static void refuse_layout(struct shard *s, const struct script_reply *reply) {
    char problem[160];

    if (reply->status == SCRIPT_SHARDS) {
        snprintf(
            problem, sizeof problem,
            "the store is laid out for %lld shards under this keyPrefix, the configuration says %u",
            (long long)reply->common.rev, s->store->shard_count);
    } else {
        snprintf(problem, sizeof problem, "the store has schema %lld, this program needs %d",
                 (long long)reply->common.rev, SCHEMA);
    }
    script_keep_problem(s->problem, problem);
    s->store->shard_hooks->on_unusable(s, problem);
}

static void on_opened(struct script_call *call, const struct script_reply *reply) {
    struct shard *s = call->shard;

    if (s->state != SHARD_OPENING) {
        return;
    }
    if (reply->status == SCRIPT_SHARDS || reply->status == SCRIPT_SCHEMA) {
        refuse_layout(s, reply);
        retry_later(s);
    } else if (reply->common.status != LOCK_OK) {
        retry_later(s);
    } else {
        if (!s->positioned) {
            s->positioned = true;
            s->cursor = reply->common.rev;
        }
        renew(s);
    }
}

void shard_open(struct shard *s) {
    struct script_args a;

    s->state = SHARD_OPENING;
    s->opened_ms = clock_boot_ms();
    wheel_cancel(&s->retry_timer);
    args_init(&a, &s->store->packed);
    args_keys_shard(&a, &s->keys);
    args_int(&a, 0);
    args_int(&a, s->store->shard_count);
    args_int(&a, SCHEMA);
    args_int(&a, SCHEMA_OLDEST);
    script_send(s, &lock_script_open, &a, on_opened, (struct script_cb){0});
}

/* ---- the lease ---- */

static void on_lease_timer(struct wheel_timer *timer) {
    renew(CONTAINER_OF(timer, struct shard, lease_timer));
}

void shard_note_step(struct shard *s, int64_t step_ms) {
    s->step_ms = (s->step_ms > 0) == (step_ms > 0) ? s->step_ms + step_ms : step_ms;
    if (s->state != SHARD_AWAY && !s->renewing) {
        wheel_set(s->store->wheel, &s->lease_timer, 1, on_lease_timer);
    }
}

static uint64_t renewal_pause_ms(const struct shard *s, bool renewed) {
    uint64_t interval_ms = store_renewal_ms(s->store);
    uint64_t pause_ms = !renewed         ? LOCK_RETRY_MS
                        : s->window != 0 ? LOCK_WINDOW_POLL_MS
                                         : interval_ms;

    if (renewed && s->step_ms != 0) {
        return 1;
    }
    return pause_ms < interval_ms ? pause_ms : interval_ms;
}

static void on_renewed(struct script_call *call, const struct script_reply *reply) {
    struct shard *s = call->shard;
    bool renewed = reply->common.status == LOCK_OK;

    s->renewing = false;
    if (!renewed && s->step_ms == 0) {
        s->step_ms = s->step_sent_ms;
    }
    s->step_sent_ms = 0;
    store_tell_unasked(s->store, &reply->common); /* a window that closes may end locks */
    if (s->state == SHARD_AWAY || s->store->closing) {
        return;
    }
    if (renewed) {
        s->lease_sent_ms = call->begin_us / 1000;
        if (s->state == SHARD_SERVING) {
            note_served(s);
        }
    }
    wheel_set(s->store->wheel, &s->lease_timer, renewal_pause_ms(s, renewed), on_lease_timer);
    if (s->state == SHARD_OPENING) {
        if (renewed && shard_is_leased(s, clock_boot_ms())) {
            begin_sync(s);
        } else {
            retry_later(s);
        }
    } else if (renewed && reply->late) {
        shard_resync(s, "the lease had lapsed");
    }
    if (renewed && s == store_any_shard(s->store)) {
        instances_refresh(s);
        audit_recovery_flush(s->store);
    }
}

static void send_lease(struct shard *s, int64_t lease_ms, int64_t written, script_done done) {
    struct lock_store *store = s->store;
    struct script_args a;

    args_init(&a, &store->packed);
    args_keys_shard(&a, &s->keys);
    args_not_after(&a, s->node);
    args_int(&a, lease_ms);
    args_int(&a, node_time_known(s->node) ? node_now_ms(s->node) : 0);
    args_int(&a, store->shard_count);
    args_flag(&a, store->config->redis.embedded);
    args_int(&a, store_longest_grace_ms(store));
    args_int(&a, written);
    args_int(&a, s->step_sent_ms);
    script_send(s, &lock_script_lease, &a, done, (struct script_cb){0});
}

static void renew(struct shard *s) {
    if (!s->renewing) {
        s->renewing = true;
        s->step_sent_ms = s->step_ms;
        s->step_ms = 0;
        send_lease(s, s->store->config->redis.lease_ms, audit_recovery_tick(s), on_renewed);
    }
}

static void on_given_up(struct script_call *call, const struct script_reply *reply) {
    (void)reply;
    call->shard->store->leases_open--;
}

void shard_give_up_lease(struct shard *s) {
    if (s->state != SHARD_AWAY && redis_link_is_up(s->node->link)) {
        s->store->leases_open++;
        send_lease(s, 0, audit_recovery_is_settled(s) ? -1 : audit_recovery_tick(s), on_given_up);
    }
    shard_away(s);
}

bool shard_serves(struct shard *s) {
    if (s->state != SHARD_SERVING ||
        (s->emptied_ms != 0 && clock_boot_ms() - s->emptied_ms > SHARD_EMPTIED_MS)) {
        return false;
    }
    if (shard_is_leased(s, clock_boot_ms())) {
        return true;
    }
    log_warn("shard_lease_lapsed", LFI("shard", s->index));
    if (s->node->up) { /* lock_store_check_lease looks at it */
        s->state = SHARD_OPENING;
        renew(s);
    } else {
        s->store->shard_hooks->on_lapsed(s);
    }
    return false;
}

/* Counted by our own clock from when the last renewal was sent, then given as store time. */
int64_t lock_store_confirmed_until_ms(const struct lock_store *store, struct str resource,
                                      int64_t expires_ms, const struct config_policy *policy) {
    const struct shard *s = store_shard(store, resource);
    int64_t since_sent = (int64_t)(clock_boot_ms() - s->lease_sent_ms);
    int64_t until;

    until = node_now_ms(s->node) - since_sent + store->config->redis.lease_ms - 1000;
    if (policy->disconnect == CONFIG_DISCONNECT_GRACE) {
        until += policy->grace_period_ms;
    }
    return until < expires_ms ? until : expires_ms;
}

/* ---- resynchronising ---- */

void shard_check_window(struct shard *s) {
    bool known = s->window == 0 || s->window == s->reported ||
                 (s->state == SHARD_SYNCING && s->window == s->sync_window);

    if (!known) {
        shard_resync(s, "a recovery window is open");
    }
}

void shard_resync(struct shard *s, const char *reason) {
    switch (s->state) {
    case SHARD_AWAY:
    case SHARD_OPENING:
        return; /* follows anyway */
    case SHARD_SYNCING:
        s->sync_again = true;
        return;
    case SHARD_SERVING:
        log_info("shard_resync", LFI("shard", s->index), LF("reason", reason));
        metrics_add(METRIC_RESYNCS, 1, reason, NULL);
        begin_sync(s);
        return;
    }
}

/* A report that raises the shard's tick leaves a gap too, but its answer includes everything before
 * it. The event after the gap may come earlier than that answer. */
void shard_missed(struct shard *s, int64_t tick) {
    if (s->state == SHARD_SYNCING) {
        s->missed = tick > s->missed ? tick : s->missed;
    } else if (tick > s->covered) {
        metrics_add(METRIC_FEED_GAPS, 1, NULL, NULL);
        shard_resync(s, "missed an event");
    }
}

static void begin_sync(struct shard *s) {
    s->state = SHARD_SYNCING;
    s->round++;
    s->sync_window = s->window;
    s->reports_open = 0;
    s->covered = s->missed = 0;
    s->report_failed = s->sync_again = false;
    wheel_cancel(&s->retry_timer);
    s->store->callbacks.on_resync(s->store->callbacks.ctx, s->index);
}

/* Our tick is from a time when the store's clock was more than a day ahead; the store lost what it
 * wrote then. */
static bool forget_refused_tick(struct shard *s, const struct script_reply *reply) {
    if (reply->status != SCRIPT_AHEAD || s->tick <= reply->common.rev || s->store->closing) {
        return false;
    }
    log_error("shard_tick_too_far_ahead", LFI("shard", s->index), LFI("own_tick", s->tick),
              LFI("store_tick", reply->common.rev));
    s->tick = s->cursor = reply->common.rev;
    s->replicated = s->replicating = 0;
    audit_recovery_rewind(s, reply->common.rev);
    endings_forget(s);
    return true;
}

bool shard_report_ended(const struct script_call *call, const struct script_reply *reply) {
    struct shard *s = call->shard;
    bool rewound = forget_refused_tick(s, reply);

    if (call->round == s->round) {
        s->reports_open--;
        s->report_failed = s->report_failed || reply->common.status != LOCK_OK;
        if (s->report_failed && s->reports_open == 0 && s->state == SHARD_SYNCING) {
            retry_later(s);
        }
    }
    return rewound;
}

void shard_sync_ended(struct shard *s, unsigned round, bool ok) {
    if (s->state != SHARD_SYNCING || round != s->round) {
        return;
    }
    if (!ok || s->report_failed) {
        retry_later(s);
        return;
    }
    s->reported = s->sync_window;
    if (s->sync_again || (s->covered != 0 && s->missed > s->covered) ||
        (s->window != 0 && s->window != s->reported)) {
        retry_later(s);
        return;
    }
    s->state = SHARD_SERVING;
    note_served(s);
    if (s->window != 0) { /* others have not reported yet */
        wheel_set(s->store->wheel, &s->lease_timer, renewal_pause_ms(s, true), on_lease_timer);
    }
    s->store->shard_hooks->on_serving(s);
}
