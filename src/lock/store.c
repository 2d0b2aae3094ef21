/* The life of the store, and the hooks by which lower parts reach higher ones. */
#include "audit_recovery.h"
#include "availability.h"
#include "endings.h"
#include "feed.h"
#include "instances.h"
#include "list.h"
#include "node.h"
#include "placement.h"
#include "reconcile.h"
#include "shard.h"
#include "store_time.h"
#include "sweep.h"

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

/* ---- hooks of script calls ---- */

static void note_clock(struct lock_node *node, uint64_t asked_ms, int64_t now_ms) {
    const struct lock_store_callbacks *callbacks = &node->store->callbacks;
    int64_t step_ms = node_time_note(node, asked_ms, now_ms);

    if (step_ms == 0 || node->store->closing) {
        return;
    }
    log_warn("store_clock_stepped", LFI("step_ms", step_ms));
    metrics_add(METRIC_STORE_CLOCK_STEPS, 1, NULL, NULL);
    for (unsigned i = 0; i < node->shard_count; i++) {
        shard_note_step(node->shards[i], step_ms);
    }
    callbacks->on_clock_step(callbacks->ctx, step_ms);
}

static void arrived(const struct script_call *call, const struct script_reply *reply) {
    struct shard *s = call->shard;

    note_clock(s->node, call->begin_us / 1000, reply->common.now_ms);
    if (reply->status == SCRIPT_OK && reply->common.rev > s->tick) {
        s->tick = reply->common.rev;
    }
}

static void before_done(const struct script_call *call, const struct script_reply *reply) {
    struct shard *s = call->shard;

    if (reply->status != SCRIPT_NO_REPLY) {
        shard_note(s, reply);
        sweep_note(s, reply);
        audit_recovery_note(s, reply);
    }
    if (reply->common.status == LOCK_UNKNOWN && call->changes) {
        audit_recovery_note_unknown(s);
    }
    for (size_t i = 0; i < reply->common.event_count; i++) {
        endings_note(s, &reply->common.events[i]);
    }
}

/* The server is a replica now, and may stay one although the address already leads to another
 * server. watch.c would notice that too, but later. */
static bool is_no_master(const char *error) {
    return strncmp(error, "READONLY ", 9) == 0 || strncmp(error, "MASTERDOWN ", 11) == 0;
}

static void log_unknown(const struct shard *s, const char *error) {
    static struct log_limit limit;

    if (log_limit_pass(&limit, 10)) {
        log_error("store_outcome_unknown", LFI("shard", s->index), LF("error", error));
    }
}

static void on_refused(struct shard *s, const char *error) {
    if (is_no_master(error)) {
        node_leave_server(s->node, error);
    }
    placement_note_refused(s, error);
}

static void after_done(struct shard *s, enum redis_status status, bool changes,
                       const struct lock_result *result) {
    feed_take_reply(s, result);
    if (status == REDIS_REFUSED) {
        on_refused(s, result->error);
    } else if (status == REDIS_UNKNOWN && redis_link_is_up(s->node->link)) {
        log_unknown(s, result->error);
        if (changes) {
            shard_resync(s, "unknown outcome");
        }
    } else {
        shard_check_window(s);
    }
}

static const struct script_hooks script_hooks = {arrived, before_done, after_done};

/* ---- hooks of shards ---- */

static void on_serving(struct shard *s) {
    sweep_schedule(s);
    feed_read(s->feed);
    store_check_recovered(s->store);
    if (s->sync_window != 0) {
        reconcile_begin(s->store);
    }
}

static void on_unusable(struct shard *s, const char *problem) {
    node_unusable(s->node, problem);
}

static void on_lapsed(struct shard *s) {
    node_mark_away(s->node, "the lease has lapsed");
}

static void on_node_away(struct lock_node *node) {
    placement_doubt(node->store);
}

static const struct shard_hooks shard_hooks = {on_serving,      on_unusable, on_refused,
                                               placement_begin, on_lapsed,   on_node_away};

/* ---- life ---- */

static void init_shards(struct lock_store *store) {
    store->shard_count = (unsigned)store->config->redis.shards;
    store->shards = mem_calloc(store->shard_count, sizeof *store->shards);
    for (unsigned i = 0; i < store->shard_count; i++) {
        shard_init(&store->shards[i], store, i);
        sweep_init(&store->shards[i]);
        endings_init(&store->shards[i]);
    }
    audit_recovery_init(store);
}

static void fini_shards(struct lock_store *store) {
    audit_recovery_fini(store);
    for (unsigned i = 0; i < store->shard_count; i++) {
        endings_forget(&store->shards[i]);
        sweep_fini(&store->shards[i]);
        shard_fini(&store->shards[i]);
    }
    mem_free(store->shards);
}

struct lock_store *lock_store_create(uv_loop_t *loop, struct wheel *wheel,
                                     const struct config *config,
                                     const struct lock_store_callbacks *callbacks) {
    struct lock_store *store = mem_zalloc(sizeof *store);

    store->loop = loop;
    store->wheel = wheel;
    store->config = config;
    store->callbacks = *callbacks;
    store->script_hooks = &script_hooks;
    store->shard_hooks = &shard_hooks;
    store->down_since_ms = clock_boot_ms();
    list_init(&store->nodes);
    rand_id(store->incarnation);
    instances_init(store);
    reconcile_init(store);
    listings_init(store);
    init_shards(store);
    node_create(store);
    placement_init(store);
    metrics_set(METRIC_STORE_UP, 0, NULL, NULL);
    return store;
}

void lock_store_give_up_leases(struct lock_store *store) {
    if (store->closing) {
        return;
    }
    store->closing = true;
    for (unsigned i = 0; i < store->shard_count; i++) {
        shard_give_up_lease(&store->shards[i]);
    }
}

bool lock_store_leases_given_up(const struct lock_store *store) {
    return store->leases_open == 0;
}

void lock_store_destroy(struct lock_store **storep) {
    struct lock_store *store = *storep;

    if (store == NULL) {
        return;
    }
    *storep = NULL;
    lock_store_give_up_leases(store);
    placement_fini(store);
    LIST_FOREACH_ENTRY(struct lock_node, node, of_store, &store->nodes) {
        node_destroy(node);
    }
    listings_fini(store);
    reconcile_fini(store);
    fini_shards(store);
    instances_fini(store);
    decode_scratch_fini(&store->scratch);
    buf_fini(&store->packed);
    mem_free(store->problem);
    mem_free(store);
}
