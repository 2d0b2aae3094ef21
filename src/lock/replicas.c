/* Rounds of a write and a WAIT; and whether there are enough replicas at all. */
#include "replicas.h"

#include <stdio.h>
#include <string.h>

#include "wslock/base/log.h"
#include "wslock/base/mem.h"

struct replicas {
    struct lock_node *node;
    struct redis_link *link;
    struct list asked;        /* struct replicas_wait, in the round under way */
    struct list next;         /* in the one after it */
    bool running;             /* a round */
    bool written;             /* its write has succeeded */
    struct wheel_timer limit; /* of `next` while no round can begin */
    struct wheel_timer look;
    bool looked, enough;
    char wanted[16], wait_ms[24];
};

static void begin_round(struct replicas *r);
static void end_all(struct list *waits, bool ok);

static bool is_wanted(const struct lock_node *node) {
    return node->store->config->redis.wait_replicas > 0;
}

/* Half of the time of a command: who comes during a round waits for that one and its own. */
static uint64_t round_ms(const struct lock_node *node) {
    return store_timeout_ms(node->store) / 2;
}

/* ---- rounds ---- */

static void on_limit(struct wheel_timer *timer) {
    end_all(&CONTAINER_OF(timer, struct replicas, limit)->next, false);
}

static void end_all(struct list *waits, bool ok) {
    struct list batch;

    list_init(&batch);
    while (!list_empty(waits)) {
        struct list *node = waits->next;

        list_remove(node);
        list_push_back(&batch, node);
    }
    while (!list_empty(&batch)) {
        struct replicas_wait *wait = CONTAINER_OF(batch.next, struct replicas_wait, node);

        list_remove(&wait->node);
        wait->done(wait, ok);
    }
}

static void on_written(void *arg, enum redis_status status, const struct redis_reply *reply,
                       const char *error) {
    struct replicas *r = arg;

    (void)reply;
    (void)error;
    r->written = status == REDIS_OK;
}

static void on_waited(void *arg, enum redis_status status, const struct redis_reply *reply,
                      const char *error) {
    struct replicas *r = arg;
    int wanted = r->node->store->config->redis.wait_replicas;
    int64_t count = 0;
    bool ok = status == REDIS_OK && r->written && redis_reply_int(reply, &count) && count >= wanted;
    static struct log_limit limit;

    r->running = false;
    for (unsigned i = 0; ok && i < r->node->shard_count; i++) {
        r->node->shards[i]->replicated = r->node->shards[i]->replicating;
    }
    if (!ok && r->link != NULL && !r->node->store->closing && log_limit_pass(&limit, 10)) {
        log_warn("store_not_replicated", LFI("replicas", count), LFI("wanted", wanted),
                 LF("error", error));
    }
    end_all(&r->asked, ok);
    begin_round(r);
}

/* A shard whose slot is here: in a Cluster another one may be moving. */
static const struct shard *written_to(const struct lock_node *node) {
    for (unsigned i = 0; i < node->shard_count; i++) {
        if (node->shards[i]->state == SHARD_SERVING) {
            return node->shards[i];
        }
    }
    return node->shards[0];
}

/* Earlier writes of the same connection are what WAIT waits for, so one is made. The reply to it
 * comes first. */
static void begin_round(struct replicas *r) {
    uint64_t timeout_ms = store_timeout_ms(r->node->store);

    if (r->running || list_empty(&r->next) || r->link == NULL) {
        return;
    }
    if (!redis_link_is_up(r->link) || r->node->shard_count == 0) {
        if (!wheel_armed(&r->limit)) {
            wheel_set(r->node->store->wheel, &r->limit, round_ms(r->node), on_limit);
        }
        return;
    }
    while (!list_empty(&r->next)) {
        struct list *node = r->next.next;

        list_remove(node);
        list_push_back(&r->asked, node);
    }
    wheel_cancel(&r->limit);
    for (unsigned i = 0; i < r->node->shard_count; i++) {
        r->node->shards[i]->replicating = r->node->shards[i]->tick;
    }
    const struct str write[] = {str_of("HSET"), written_to(r->node)->keys.meta, str_of("replicas"),
                                str_of(r->wanted)};
    const struct str wait[] = {str_of("WAIT"), str_of(r->wanted), str_of(r->wait_ms)};
    r->running = true;
    r->written = false;
    redis_link_command(r->link, ARRAY_LEN(write), write, timeout_ms, on_written, r);
    redis_link_command(r->link, ARRAY_LEN(wait), wait, timeout_ms, on_waited, r);
}

void replicas_await(struct lock_node *node, struct replicas_wait *wait) {
    struct replicas *r = node->replicas;

    list_push_back(&r->next, &wait->node);
    begin_round(r);
}

static bool lacks(const struct shard *s, const struct lock_view *lock) {
    return lock_is_owned(lock) && lock->token > s->replicated;
}

bool replicas_lack_event(const struct shard *s, const struct lock_event *event) {
    if (!is_wanted(s->node) || event->kind != LOCK_EVENT_LOCK) {
        return false;
    }
    return lacks(s, &event->lock) ||
           ((event->lock.state == LOCK_STATE_RESERVED || event->cause == LOCK_CAUSE_RECOVERED) &&
            event->rev > s->replicated);
}

bool replicas_lack_result(const struct shard *s, const struct lock_result *result) {
    bool lack = is_wanted(s->node) &&
                (lacks(s, &result->lock) ||
                 (result->lock.state == LOCK_STATE_RESERVED && result->rev > s->replicated));

    for (size_t i = 0; !lack && i < result->event_count; i++) {
        lack = replicas_lack_event(s, &result->events[i]);
    }
    return lack;
}

/* ---- enough of them ---- */

/* Those that are connected and synchronised. */
static int count_online(struct str info) {
    static const char online[] = ",state=online,";
    const char *at = info.p, *end = info.p + info.len;
    int count = 0;

    while (at != NULL && (at = memmem(at, (size_t)(end - at), online, sizeof online - 1)) != NULL) {
        at += sizeof online - 1;
        count++;
    }
    return count;
}

static void on_info(void *arg, enum redis_status status, const struct redis_reply *reply,
                    const char *error) {
    struct replicas *r = arg;
    int wanted = r->node->store->config->redis.wait_replicas;
    struct str info;
    int online;

    (void)error;
    if (r->node->store->closing || status != REDIS_OK || !redis_reply_str(reply, &info)) {
        return;
    }
    online = count_online(info);
    if (online < wanted && (!r->looked || r->enough)) {
        log_warn("store_replicas_too_few", LFI("connected", online), LFI("wanted", wanted),
                 LF("effect", "no lock is granted until redis.waitReplicas are connected"));
    } else if (online >= wanted && r->looked && !r->enough) {
        log_info("store_replicas_enough", LFI("connected", online), LFI("wanted", wanted));
    }
    r->looked = true;
    r->enough = online >= wanted;
}

static void on_look(struct wheel_timer *timer) {
    static const struct str info[] = {{"INFO", 4}, {"replication", 11}};
    struct replicas *r = CONTAINER_OF(timer, struct replicas, look);

    if (redis_link_is_up(r->link)) {
        redis_link_command(r->link, ARRAY_LEN(info), info, store_timeout_ms(r->node->store),
                           on_info, r);
    }
    wheel_set(r->node->store->wheel, timer, store_renewal_ms(r->node->store), on_look);
}

/* ---- life ---- */

static void on_up(void *ctx) {
    struct replicas *r = ctx;

    on_look(&r->look);
    begin_round(r);
}

static void on_down(void *ctx, const char *reason) {
    (void)ctx;
    log_info("replicas_lost", LF("reason", reason));
}

static void on_fail(void *ctx, const char *reason) {
    (void)ctx;
    log_debug("replicas_connect_failed", LF("reason", reason));
}

void replicas_init(struct lock_node *node) {
    struct replicas *r;

    if (!is_wanted(node)) {
        return;
    }
    r = mem_zalloc(sizeof *r);
    const struct redis_link_callbacks callbacks = {on_up, on_down, on_fail, r};

    node->replicas = r;
    r->node = node;
    list_init(&r->asked);
    list_init(&r->next);
    wheel_timer_init(&r->limit);
    wheel_timer_init(&r->look);
    snprintf(r->wanted, sizeof r->wanted, "%d", node->store->config->redis.wait_replicas);
    snprintf(r->wait_ms, sizeof r->wait_ms, "%llu", (unsigned long long)round_ms(node));
    char *name = node_link_name(node, ":replicas");

    r->link = redis_link_create_beside(node->link, name, &callbacks);
    mem_free(name);
}

void replicas_fini(struct lock_node *node) {
    struct replicas *r = node->replicas;

    if (r == NULL) {
        return;
    }
    wheel_cancel(&r->limit);
    wheel_cancel(&r->look);
    redis_link_destroy(&r->link);
    end_all(&r->next, false);
    mem_free(r);
    node->replicas = NULL;
}

void replicas_reset(struct lock_node *node, const char *reason) {
    struct replicas *r = node->replicas;

    if (r == NULL) {
        return;
    }
    for (unsigned i = 0; i < node->shard_count; i++) {
        node->shards[i]->replicated = node->shards[i]->replicating = 0;
    }
    redis_link_reset(r->link, reason);
    end_all(&r->next, false);
}

void replicas_end_asking(struct lock_node *node) {
    if (node->replicas != NULL) {
        redis_link_end_asking(node->replicas->link);
    }
}
