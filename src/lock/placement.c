/*
 * In a Redis Cluster all keys of a shard are in one slot. The shard belongs to the node that has
 * this slot, and moves to another node when the old one refuses its calls, or does not serve it
 * while the Cluster says that the slot is elsewhere. A shard that is served is not moved: the node
 * that serves it knows better than the one that was asked. A shard without a master stays where it
 * was. A slot that is being moved is served at its new node once all of its keys are there (ASK).
 * After a move the shard is away until it was opened and resynchronised at the new node.
 *
 * A link must not be destroyed by its own callback, so a timer moves the shards.
 */
#include "placement.h"

#include <stdio.h>

#include "availability.h"
#include "crc16.h"
#include "node.h"
#include "shard.h"
#include "slot_move.h"

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"
#include "wslock/redis/cluster.h"

/* Nodes may disagree for a while. For so long a refusal does not move the shard again, and ASK is
 * not followed again. */
#define MOVE_PAUSE_MS 100
#define FOLLOW_PAUSE_MS 1000

struct target {
    struct redis_address to;
    bool due;          /* the shard is to be moved there */
    bool doubted;      /* its node has refused a call */
    uint64_t moved_ms; /* boot time of the last move */

    struct slot_move *slot_move; /* its slot is being moved; NULL: not known */
    bool slot_move_over;
    uint64_t over_ms; /* boot time when the last one was over */
};

struct placement {
    struct lock_store *store;
    struct redis_cluster *cluster;
    struct target *targets; /* by shard */
    struct wheel_timer timer;
};

/* Of the hash tag, which is the text between the braces. */
static unsigned slot_of(const struct shard *s) {
    const char *end = memchr(s->keys.tag.p, '}', s->keys.tag.len);
    struct str tag = {s->keys.tag.p + 1, (size_t)(end - s->keys.tag.p - 1)};

    return crc16(tag) % REDIS_SLOTS;
}

/* ---- moves ---- */

static struct lock_node *find_node(const struct lock_store *store,
                                   const struct redis_address *address) {
    LIST_FOREACH_ENTRY(struct lock_node, node, of_store, &store->nodes) {
        if (redis_address_eq(&node->address, address) && node->address.asking == address->asking) {
            return node;
        }
    }
    return NULL;
}

static void move(struct shard *s, struct target *t) {
    struct lock_node *node = find_node(s->store, &t->to);

    t->due = t->doubted = false;
    if (node == s->node) {
        return;
    }
    if (node == NULL) {
        log_info("node_found", LF("host", t->to.host), LFI("port", t->to.port));
        node = node_create_at(s->store, &t->to);
    }
    if (s->node->address.port != 0) { /* else it was nowhere */
        log_info("shard_moved", LFI("shard", s->index), LF("host", t->to.host),
                 LFI("port", t->to.port));
        metrics_add(METRIC_SHARD_MOVES, 1, NULL, NULL);
    }
    t->moved_ms = clock_boot_ms();
    node_take(node, s);
}

/* A slot that has been moved to a node needs ASKING no more. There may be another node for that
 * server; a shard of this one moves there when it is away (on_map). */
static void end_asking(struct placement *p) {
    LIST_FOREACH_ENTRY(struct lock_node, node, of_store, &p->store->nodes) {
        bool moving = false;

        for (unsigned i = 0; i < node->shard_count; i++) {
            moving = moving || p->targets[node->shards[i]->index].slot_move != NULL;
        }
        if (node->address.asking && !moving) {
            node_end_asking(node);
        }
    }
}

static void end_empty_nodes(struct lock_store *store) {
    LIST_FOREACH_ENTRY(struct lock_node, node, of_store, &store->nodes) {
        if (node->shard_count == 0) {
            node_destroy(node);
        }
    }
}

static void on_timer(struct wheel_timer *timer) {
    struct placement *p = CONTAINER_OF(timer, struct placement, timer);
    struct lock_store *store = p->store;

    if (store->closing) {
        return;
    }
    for (unsigned i = 0; i < store->shard_count; i++) {
        struct target *t = &p->targets[i];

        if (t->slot_move_over) {
            t->slot_move_over = false;
            t->over_ms = clock_boot_ms();
            slot_move_destroy(&t->slot_move);
        }
        if (t->due) {
            move(&store->shards[i], t);
        }
    }
    store_check_moved(store);
    end_empty_nodes(store);
    end_asking(p);
}

static void act(struct placement *p) {
    wheel_set(p->store->wheel, &p->timer, 1, on_timer);
}

static void want(struct placement *p, const struct shard *s, const struct redis_address *to) {
    struct target *t = &p->targets[s->index];

    t->to = *to;
    t->due = true;
    act(p);
}

/* ---- what nodes say ---- */

/* A node that it was at tells the problem itself. */
static void note_no_master(const struct shard *s) {
    char problem[64];

    if (s->node->address.port == 0) {
        snprintf(problem, sizeof problem, "the slot of shard %u has no master", s->index);
        store_set_problem(s->node, problem);
    }
}

static void on_map(void *ctx, const struct redis_cluster_map *map) {
    struct placement *p = ctx;

    for (unsigned i = 0; i < p->store->shard_count; i++) {
        const struct shard *s = &p->store->shards[i];
        const struct redis_address *master = redis_cluster_master(map, slot_of(s));
        struct target *t = &p->targets[i];

        if (master == NULL) {
            note_no_master(s);
            continue;
        }
        if (redis_address_eq(master, &s->node->address)) {
            t->doubted = false;
        }
        if (t->slot_move == NULL && find_node(p->store, master) != s->node &&
            (s->state == SHARD_AWAY || t->doubted)) {
            want(p, s, master);
        }
    }
}

/* A node that has been found tells its own problems. */
static void on_fail(void *ctx, const char *reason) {
    const struct placement *p = ctx;

    LIST_FOREACH_ENTRY(const struct lock_node, node, of_store, &p->store->nodes) {
        if (node->address.port == 0) {
            store_set_problem(node, reason);
        }
    }
}

/* ---- slots that are being moved ---- */

static void on_emptied(struct shard *s, const struct redis_address *to) {
    if (!redis_address_eq(to, &s->node->address)) {
        want(s->store->placement, s, to);
    }
}

static void on_over(struct shard *s, const struct redis_address *at) {
    struct placement *p = s->store->placement;

    p->targets[s->index].slot_move_over = true;
    if (redis_address_eq(at, &s->node->address)) {
        p->targets[s->index].due = false;
        act(p);
    } else {
        want(p, s, at);
    }
}

static void follow(struct placement *p, struct shard *s) {
    static const struct slot_move_callbacks callbacks = {on_emptied, on_over};
    struct target *t = &p->targets[s->index];

    if (p->store->closing || s->node->address.port == 0) {
        return;
    }
    if (t->slot_move == NULL && clock_boot_ms() - t->over_ms >= FOLLOW_PAUSE_MS) {
        t->slot_move = slot_move_create(s, slot_of(s), &callbacks);
    }
}

/* ---- refusals ---- */

static bool is_elsewhere(const char *error) {
    static const char *const codes[] = {"MOVED ", "CLUSTERDOWN ", "READONLY ", "MASTERDOWN "};

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (strncmp(error, codes[i], strlen(codes[i])) == 0) {
            return true;
        }
    }
    return false;
}

void placement_note_refused(struct shard *s, const char *error) {
    struct placement *p = s->store->placement;
    struct target *t;
    struct redis_address to;
    bool redirects;

    if (p == NULL || error == NULL) {
        return;
    }
    t = &p->targets[s->index];
    redirects = redis_cluster_redirect(error, &s->node->address, &to);
    if (redirects && to.asking) {
        follow(p, s);
        return;
    }
    if (!is_elsewhere(error)) {
        return;
    }
    t->doubted = true;
    if (redirects && clock_boot_ms() - t->moved_ms >= MOVE_PAUSE_MS) {
        t->slot_move_over = t->slot_move != NULL;
        want(p, s, &to);
    }
    redis_cluster_doubt(p->cluster);
}

void placement_doubt(struct lock_store *store) {
    if (store->placement != NULL && !store->closing) {
        redis_cluster_doubt(store->placement->cluster);
    }
}

/* ---- life ---- */

void placement_begin(struct lock_store *store) {
    struct placement *p = store->placement;
    struct redis_cluster_callbacks callbacks = {on_map, on_fail, NULL};
    const char *instance = store->config->instance;
    char *name;

    if (p != NULL) {
        return;
    }
    name = mem_printf("wslockd:%s:slots", instance != NULL ? instance : "");
    callbacks.ctx = store->placement = p = mem_zalloc(sizeof *p);
    p->store = store;
    p->targets = mem_calloc(store->shard_count, sizeof *p->targets);
    wheel_timer_init(&p->timer);
    p->cluster = redis_cluster_create(store->loop, store->config, name, &callbacks);
    mem_free(name);
}

void placement_init(struct lock_store *store) {
    if (store->config->redis.cluster_nodes.count > 0) {
        placement_begin(store);
    }
}

void placement_fini(struct lock_store *store) {
    struct placement *p = store->placement;

    if (p == NULL) {
        return;
    }
    redis_cluster_destroy(&p->cluster);
    for (unsigned i = 0; i < store->shard_count; i++) {
        slot_move_destroy(&p->targets[i].slot_move);
    }
    wheel_cancel(&p->timer);
    mem_free(p->targets);
    mem_free(p);
    store->placement = NULL;
}
