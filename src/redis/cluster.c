/*
 * One connection at a time, to the node that is being asked. It stays as long as its answers are
 * not doubted. A link must not be destroyed by its own callback: on_timer does all that changes it.
 */
#include "cluster_reply.h"

#include <stdio.h>
#include <uv.h>

#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#define ANSWER_MS 500
#define POLL_MS 5000 /* between two questions that nothing has caused */
#define DOUBT_MS 200 /* … that a doubt has caused */
#define PAUSE_MS 250 /* after a round without an answer */
#define REASON_LEN 512

struct redis_cluster {
    uv_loop_t *loop;
    const struct config *config;
    struct redis_cluster_callbacks callbacks;
    char *name;

    struct redis_address *nodes; /* seeds, then masters; port 0: the configured URL */
    size_t seed_count, node_count;
    size_t at;     /* the node that is being asked */
    size_t failed; /* nodes that failed in this round */
    char reason[REASON_LEN];

    struct redis_link *link; /* to nodes[at]; NULL: none */
    struct redis_address to; /* where it leads */
    bool asking;
    bool leave;        /* the next question goes to another node */
    uint64_t asked_ms; /* uv_now of the last question */
    uv_timer_t timer;
    struct redis_cluster_map map;
};

static void on_timer(uv_timer_t *timer);

static void act_in(struct redis_cluster *c, uint64_t delay_ms) {
    uv_timer_start(&c->timer, on_timer, delay_ms, 0);
}

/* ---- the nodes ---- */

static void add_node(struct redis_cluster *c, const struct redis_address *node) {
    for (size_t i = 0; i < c->node_count; i++) {
        if (redis_address_eq(&c->nodes[i], node)) {
            return;
        }
    }
    c->nodes = mem_realloc(c->nodes, (c->node_count + 1) * sizeof *c->nodes);
    c->nodes[c->node_count++] = *node;
}

static void add_seeds(struct redis_cluster *c) {
    const struct config_strings *seeds = &c->config->redis.cluster_nodes;
    struct redis_address node = {.port = 0};

    if (seeds->count == 0) {
        add_node(c, &node);
    }
    for (size_t i = 0; i < seeds->count; i++) {
        if (redis_address_parse(&node, str_of(seeds->items[i]))) {
            add_node(c, &node);
        }
    }
    c->seed_count = c->node_count;
}

/* The next question still goes to the node of the link. */
static void take_masters(struct redis_cluster *c) {
    c->node_count = c->seed_count;
    for (unsigned i = 0; i < c->map.master_count; i++) {
        add_node(c, &c->map.masters[i]);
    }
    for (c->at = 0; c->at + 1 < c->node_count; c->at++) {
        if (redis_address_eq(&c->nodes[c->at], &c->to)) {
            return;
        }
    }
}

/* ---- questions and answers ---- */

static void note_failed(struct redis_cluster *c, const char *reason) {
    static struct log_limit limit;
    size_t len = strlen(c->reason);

    metrics_add(METRIC_CLUSTER_FAILED, 1, NULL, NULL);
    if (log_limit_pass(&limit, 10)) {
        log_warn("cluster_node_failed", LF("node", redis_link_target(c->link)),
                 LF("problem", reason));
    }
    snprintf(c->reason + len, sizeof c->reason - len, "%s%s: %s", len > 0 ? "; " : "",
             redis_link_target(c->link), reason);
}

static void fail(struct redis_cluster *c, const char *reason) {
    char text[REASON_LEN + 64];

    c->leave = true;
    note_failed(c, reason);
    if (++c->failed < c->node_count) {
        act_in(c, 0);
        return;
    }
    snprintf(text, sizeof text, "no node tells where the slots are: %s", c->reason);
    c->failed = 0;
    c->reason[0] = '\0';
    act_in(c, PAUSE_MS);
    c->callbacks.on_fail(c->callbacks.ctx, text);
}

static void on_slots(void *arg, enum redis_status status, const struct redis_reply *reply,
                     const char *error) {
    struct redis_cluster *c = arg;
    const char *problem = error;

    if (!c->asking) { /* the link is being destroyed */
        return;
    }
    c->asking = false;
    if (status == REDIS_UNKNOWN || status == REDIS_UNSENT) {
        return; /* on_down follows */
    }
    if (status != REDIS_OK ||
        !cluster_reply_map(reply, c->to.port != 0 ? c->to.host : c->config->redis.host, &c->map,
                           &problem)) {
        fail(c, problem);
        return;
    }
    c->failed = 0;
    c->reason[0] = '\0';
    take_masters(c);
    act_in(c, POLL_MS);
    c->callbacks.on_map(c->callbacks.ctx, &c->map);
}

static void ask(struct redis_cluster *c) {
    static const struct str argv[] = {{"CLUSTER", 7}, {"SLOTS", 5}};

    c->asking = true;
    c->asked_ms = uv_now(c->loop);
    redis_link_command(c->link, ARRAY_LEN(argv), argv, ANSWER_MS, on_slots, c);
}

/* ---- the link ---- */

static void on_up(void *ctx) {
    ask(ctx);
}

static void on_lost(void *ctx, const char *reason) {
    struct redis_cluster *c = ctx;

    if (!c->leave) {
        fail(c, reason);
    }
}

static void disconnect(struct redis_cluster *c) {
    c->asking = c->leave = false;
    redis_link_destroy(&c->link);
}

static void on_timer(uv_timer_t *timer) {
    struct redis_cluster *c = timer->data;
    const struct redis_link_callbacks callbacks = {on_up, on_lost, on_lost, c};

    if (c->leave && c->link != NULL) {
        disconnect(c);
        c->at = (c->at + 1) % c->node_count;
    }
    if (c->link != NULL && redis_link_is_up(c->link) && !c->asking) {
        ask(c);
    }
    if (c->link != NULL) {
        return;
    }
    c->asked_ms = uv_now(c->loop);
    c->to = c->nodes[c->at];
    c->link = c->to.port == 0
                  ? redis_link_create(c->loop, c->config, c->name, &callbacks)
                  : redis_link_create_at(c->loop, c->config, &c->to, c->name, &callbacks);
}

void redis_cluster_doubt(struct redis_cluster *c) {
    uint64_t since_ms = uv_now(c->loop) - c->asked_ms;

    if (c->link == NULL || c->leave || c->asking || !redis_link_is_up(c->link)) {
        return; /* an answer is on the way */
    }
    c->leave = c->node_count > 1;
    act_in(c, since_ms < DOUBT_MS ? DOUBT_MS - since_ms : 0);
}

/* ---- life ---- */

struct redis_cluster *redis_cluster_create(uv_loop_t *loop, const struct config *config,
                                           const char *name,
                                           const struct redis_cluster_callbacks *callbacks) {
    struct redis_cluster *c = mem_zalloc(sizeof *c);

    c->loop = loop;
    c->config = config;
    c->callbacks = *callbacks;
    c->name = mem_strdup(name);
    add_seeds(c);
    uv_timer_init(loop, &c->timer);
    c->timer.data = c;
    act_in(c, 0);
    return c;
}

static void on_closed(uv_handle_t *handle) {
    struct redis_cluster *c = handle->data;

    mem_free(c->nodes);
    mem_free(c->name);
    mem_free(c);
}

void redis_cluster_destroy(struct redis_cluster **clusterp) {
    struct redis_cluster *c = *clusterp;

    if (c == NULL) {
        return;
    }
    *clusterp = NULL;
    disconnect(c);
    uv_close((uv_handle_t *)&c->timer, on_closed);
}
