/*
 * The other instances. A store that was emptied does not know them, and a replica may know only an
 * older lease of theirs, but a recovery window must wait for their reports as long as their editors
 * may rely on their locks. Each instance therefore reads the leases of the others after each of its
 * renewals outside a window, and names them in report_done.
 */
#include "instances.h"

#include <stdio.h>

#include "wslock/base/clock.h"
#include "wslock/base/map.h"
#include "wslock/base/mem.h"

#include "store_time.h"

#define INSTANCES_MAX 500 /* in one report_done; a window does not wait for more */

struct instance {
    uint64_t lease_end_ms; /* boot time */
};

struct adding {
    const struct shard *shard;
    struct script_args *a;
};

void instances_init(struct lock_store *store) {
    store->instances = map_create();
}

static void forget(void *ctx, struct str name, void *value) {
    struct lock_store *store = ctx;

    map_remove(store->instances, name);
    mem_free(value);
}

void instances_fini(struct lock_store *store) {
    map_each(store->instances, forget, store);
    map_destroy(&store->instances);
}

/* Its editors rely on their locks until the longest grace after its lease. */
static bool is_over(struct lock_store *store, const struct instance *instance) {
    return clock_boot_ms() >= instance->lease_end_ms + (uint64_t)store_longest_grace_ms(store);
}

static void forget_if_over(void *ctx, struct str name, void *value) {
    if (is_over(ctx, value)) {
        forget(ctx, name, value);
    }
}

/* The lease of an instance in a shard ends at `at_ms`, store time. */
static void note(const struct shard *s, struct str name, int64_t at_ms) {
    struct lock_store *store = s->store;
    int64_t left_ms = at_ms - node_now_ms(s->node), lease_ms = store->config->redis.lease_ms;
    uint64_t end_ms = clock_boot_ms();
    struct instance *instance = map_get(store->instances, name);

    if (left_ms > 0) {
        end_ms += (uint64_t)(left_ms < lease_ms ? left_ms : lease_ms);
    }
    if (instance == NULL && map_count(store->instances) < INSTANCES_MAX) {
        instance = mem_zalloc(sizeof *instance);
        map_set(store->instances, name, instance);
    }
    if (instance != NULL && end_ms > instance->lease_end_ms) {
        instance->lease_end_ms = end_ms;
    }
}

/* A store in a window may know less than this instance. */
static bool can_learn(const struct shard *s, enum redis_status status) {
    return status == REDIS_OK && s->state == SHARD_SERVING && s->window == 0;
}

/* A query for the ends of these leases. */
struct lease_query {
    struct shard *shard;
    size_t count;
    char names[][LOCK_INCARNATION_MAX + 1];
};

static void on_leases(void *arg, enum redis_status status, const struct redis_reply *reply,
                      const char *error) {
    struct lease_query *q = arg;
    struct lock_store *store = q->shard->store;

    (void)error;
    if (!store->closing && can_learn(q->shard, status)) {
        for (size_t i = 0; i < q->count; i++) {
            int64_t at_ms;

            if (redis_reply_int(redis_reply_at(reply, i), &at_ms)) {
                note(q->shard, str_of(q->names[i]), at_ms);
            }
        }
        map_each(store->instances, forget_if_over, store);
    }
    mem_free(q);
}

static void ask_leases(struct lease_query *q) {
    struct str *argv = mem_calloc(q->count + 2, sizeof *argv);
    char(*members)[LOCK_INCARNATION_MAX + 3] = mem_calloc(q->count, sizeof *members);

    argv[0] = str_of("ZMSCORE");
    argv[1] = q->shard->keys.due;
    for (size_t i = 0; i < q->count; i++) {
        snprintf(members[i], sizeof members[i], "i:%s", q->names[i]);
        argv[i + 2] = str_of(members[i]);
    }
    node_command(q->shard->node, (int)q->count + 2, argv, on_leases, q);
    mem_free(members);
    mem_free(argv);
}

static void on_instances(void *arg, enum redis_status status, const struct redis_reply *reply,
                         const char *error) {
    struct shard *s = arg;
    size_t count = redis_reply_count(reply);
    struct lease_query *q;

    (void)error;
    if (s->store->closing || !can_learn(s, status) || count == 0) {
        return;
    }
    count = count < INSTANCES_MAX ? count : INSTANCES_MAX;
    q = mem_zalloc(sizeof *q + count * sizeof q->names[0]);
    q->shard = s;
    for (size_t i = 0; i < count; i++) {
        struct str name;

        if (redis_reply_str(redis_reply_at(reply, i), &name) && name.len > 0 &&
            name.len <= LOCK_INCARNATION_MAX && !str_eqz(name, s->store->incarnation)) {
            memcpy(q->names[q->count++], name.p, name.len);
        }
    }
    if (q->count > 0) {
        ask_leases(q);
    } else {
        mem_free(q);
    }
}

void instances_refresh(struct shard *s) {
    const struct str argv[] = {str_of("HKEYS"), s->keys.instances};

    node_command(s->node, ARRAY_LEN(argv), argv, on_instances, s);
}

static void add(void *ctx, struct str name, void *value) {
    const struct adding *adding = ctx;
    const struct instance *instance = value;
    struct lock_store *store = adding->shard->store;
    int64_t left_ms = (int64_t)instance->lease_end_ms - (int64_t)clock_boot_ms();

    if (!is_over(store, instance)) {
        args_str(adding->a, name);
        /* It may have renewed the lease once more since then. */
        args_int(adding->a,
                 node_now_ms(adding->shard->node) + left_ms + (int64_t)store_renewal_ms(store));
    }
}

void instances_add(const struct shard *s, struct script_args *a) {
    struct adding adding = {s, a};

    map_each(s->store->instances, add, &adding);
}
