/* Sends script calls and decodes their replies. With redis.waitReplicas, a reply that shows a grant
 * is held until the replicas have it, and later replies of the shard wait behind it. */
#include "script.h"

#include <stdio.h>

#include "replicas.h"

#include "wslock/base/clock.h"
#include "wslock/base/mem.h"
#include "wslock/base/spare.h"
#include "wslock/metrics/metrics.h"

void script_keep_problem(char out[LOCK_PROBLEM_LEN], const char *error) {
    const char *where = error != NULL ? strstr(error, " script: ") : NULL;
    int len = where != NULL ? (int)(where - error) : LOCK_PROBLEM_LEN - 1;

    snprintf(out, LOCK_PROBLEM_LEN, "%.*s", len, error != NULL ? error : "no answer");
}

static bool read_reply(struct lock_store *store, struct str packed, struct script_reply *reply) {
    static const char *const errors[] = {[SCRIPT_LATE] = "arrived too late",
                                         [SCRIPT_SHARDS] = "laid out for other shards",
                                         [SCRIPT_SCHEMA] = "laid out under another schema",
                                         [SCRIPT_AHEAD] = "reported tick too far ahead"};

    if (!script_reply_decode(packed, &store->scratch, reply)) {
        return false;
    }
    if (reply->status != SCRIPT_OK) {
        reply->common.status = LOCK_UNAVAILABLE;
        reply->common.error = errors[reply->status];
    }
    return true;
}

static void count_call(const struct script_call *call, enum redis_status status) {
    static const char *const outcomes[] = {
        [REDIS_REFUSED] = "refused", [REDIS_UNKNOWN] = "unknown", [REDIS_UNSENT] = "unsent"};

    if (call->label == NULL) {
        return;
    }
    if (status == REDIS_OK || status == REDIS_REFUSED) {
        metrics_observe(METRIC_STORE_SECONDS, (double)(clock_boot_us() - call->begin_us) / 1e6,
                        call->label);
    }
    if (status != REDIS_OK) {
        metrics_add(METRIC_STORE_FAILED, 1, call->label, outcomes[status]);
    }
}

static void complete(struct script_call *call, enum redis_status status, struct str packed,
                     const char *error) {
    struct shard *s = call->shard;
    struct lock_store *store = s->store;
    struct script_reply reply;
    bool changes = call->changes;

    count_call(call, status);
    if (call->node != s->node) { /* what it knew may be lost there */
        status = status == REDIS_OK        ? REDIS_UNKNOWN
                 : status == REDIS_REFUSED ? REDIS_UNSENT
                                           : status;
        error = "the shard has moved";
    }
    if (status == REDIS_OK && !read_reply(store, packed, &reply)) {
        status = REDIS_UNKNOWN;
        error = "malformed reply";
    }
    if (status != REDIS_OK) {
        reply = (struct script_reply){
            .status = SCRIPT_NO_REPLY,
            .common.status = status == REDIS_UNKNOWN ? LOCK_UNKNOWN : LOCK_UNAVAILABLE,
            .common.error = error,
        };
    }
    if (reply.common.status != LOCK_OK && status != REDIS_UNSENT) {
        script_keep_problem(s->problem, reply.common.error);
    }
    if (!call->arrived && status == REDIS_OK) {
        store->script_hooks->arrived(call, &reply);
    }
    store->script_hooks->before_done(call, &reply);
    s->calls_open -= changes;
    call->done(call, &reply);
    spare_free(call, sizeof *call);
    if (!store->closing) {
        store->script_hooks->after_done(s, status, changes, &reply.common);
    }
}

/* ---- held replies ---- */

/* The caller is told nothing of a grant that a failover may lose: its outcome is unknown. */
#define NOT_REPLICATED "too few replicas have it"
#define HELD_MAX 65536 /* of a shard; as many calls may wait to be sent */

struct held_reply {
    struct list node;
    struct replicas_wait wait;
    struct script_call *call;
    enum redis_status status;
    bool waits; /* for the replicas; else only for those before it */
    struct str packed, error;
};

static void release_held(struct shard *s) {
    while (!list_empty(&s->held)) {
        struct held_reply *held = CONTAINER_OF(s->held.next, struct held_reply, node);

        if (held->waits) {
            return;
        }
        list_remove(&held->node);
        s->held_count--;
        complete(held->call, held->status, held->packed, held->error.p);
        mem_free((void *)(uintptr_t)held->packed.p);
        mem_free((void *)(uintptr_t)held->error.p);
        mem_free(held);
    }
}

static void on_replicated(struct replicas_wait *wait, bool ok) {
    struct held_reply *held = CONTAINER_OF(wait, struct held_reply, wait);

    held->waits = false;
    if (!ok) {
        held->status = REDIS_UNKNOWN;
        held->error = (struct str){mem_strdup(NOT_REPLICATED), sizeof NOT_REPLICATED - 1};
    }
    release_held(held->call->shard);
}

static void hold(struct script_call *call, enum redis_status status, struct str packed,
                 const char *error, bool waits) {
    struct held_reply *held = mem_zalloc(sizeof *held);

    held->call = call;
    held->status = status;
    held->waits = waits;
    held->wait.done = on_replicated;
    list_init(&held->wait.node);
    if (packed.len > 0) {
        char *copy = mem_alloc(packed.len);

        memcpy(copy, packed.p, packed.len);
        held->packed = (struct str){copy, packed.len};
    }
    if (error != NULL) {
        held->error = (struct str){mem_strdup(error), strlen(error)};
    }
    list_push_back(&call->shard->held, &held->node);
    call->shard->held_count++;
    if (waits) {
        replicas_await(call->shard->node, &held->wait);
    }
}

void script_drop_held(struct shard *s) {
    LIST_FOREACH_ENTRY(struct held_reply, held, node, &s->held) {
        list_remove(&held->wait.node);
        held->waits = false;
    }
    release_held(s);
}

/* ---- replies ---- */

/* Whether the reply shows a grant that the replicas may lack. It is noted as arrived. */
static bool must_be_held(struct script_call *call, struct str packed) {
    struct shard *s = call->shard;
    struct script_reply reply;

    if (s->store->closing || call->node != s->node || !read_reply(s->store, packed, &reply)) {
        return false;
    }
    s->store->script_hooks->arrived(call, &reply);
    call->arrived = true;
    return reply.common.status == LOCK_OK && replicas_lack_result(s, &reply.common);
}

static void on_reply(void *arg, enum redis_status status, const struct redis_reply *answer,
                     const char *error) {
    struct script_call *call = arg;
    struct shard *s = call->shard;
    struct str packed = {NULL, 0};

    if (status == REDIS_OK && !redis_reply_str(answer, &packed)) {
        packed.len = 0;
    }
    bool waits = status == REDIS_OK && s->store->config->redis.wait_replicas > 0 &&
                 must_be_held(call, packed);
    if (waits || !list_empty(&s->held)) {
        hold(call, status, packed, error, waits);
    } else {
        complete(call, status, packed, error);
    }
}

static struct script_call *make_call(struct shard *s, const char *label, bool changes,
                                     script_done done, struct script_cb cb) {
    struct script_call *call = spare_alloc(sizeof *call);

    s->calls_open += changes;
    *call = (struct script_call){.shard = s,
                                 .node = s->node,
                                 .changes = changes,
                                 .done = done,
                                 .cb = cb,
                                 .begin_us = clock_boot_us(),
                                 .label = label,
                                 .round = s->round};
    return call;
}

void script_send(struct shard *s, const struct redis_script *script, struct script_args *a,
                 script_done done, struct script_cb cb) {
    const struct str argv[] = {args_packed(a), str_of(s->store->incarnation)};
    /* These two change something only by closing a recovery window. */
    bool closes = script == &lock_script_lease || script == &lock_script_report_done;
    bool makes_no_events = script == &lock_script_open || script == &lock_script_list ||
                           script == &lock_script_recorded;
    bool changes = !makes_no_events && (!closes || s->window != 0);
    struct script_call *call = make_call(s, script->label, changes, done, cb);

    if (s->held_count >= HELD_MAX) {
        redis_link_decline(s->node->link, "too many replies wait for the replicas", on_reply, call);
        return;
    }
    redis_link_call(s->node->link, script, a->key_count, a->keys, ARRAY_LEN(argv), argv,
                    store_timeout_ms(s->store), on_reply, call);
}

void script_decline(struct shard *s, const char *why, script_done done, struct script_cb cb) {
    redis_link_decline(s->node->link, why, on_reply, make_call(s, NULL, false, done, cb));
}
