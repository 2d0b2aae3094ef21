/*
 * Asks the sending node two questions at a time: for a key that the shard always has (`meta`), and
 * how many keys of the slot are left. A key that has left cannot come back while the node answers
 * ASK. If it answers otherwise, the move was finished, or cancelled: then the node serves the slot
 * again, without the keys. Its recovery window is open for 3 s at least, and an instance that has
 * followed ASK grants nothing at the other node after SHARD_EMPTIED_MS without an answer.
 */
#include "slot_move.h"

#include <stdio.h>

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/redis/cluster.h"

#define PERIOD_MS 200
#define ANSWER_MS 1000

struct slot_move {
    struct shard *s;
    const struct slot_move_callbacks *callbacks;
    struct redis_address from, to;
    struct redis_link *link; /* to `from` */
    struct wheel_timer timer;
    char slot[8];
    uint64_t asked_ms; /* boot time */
    bool over;
};

static void end(struct slot_move *m, const struct redis_address *at) {
    if (!m->over) {
        m->over = true;
        m->callbacks->on_over(m->s, at);
    }
}

static void on_key(void *arg, enum redis_status status, const struct redis_reply *reply,
                   const char *error) {
    struct slot_move *m = arg;
    struct redis_address to;

    (void)reply;
    if (m->over) {
        return;
    }
    if (status != REDIS_REFUSED || !redis_cluster_redirect(error, &m->from, &to)) {
        end(m, &m->from);
    } else if (to.asking) {
        m->to = to;
    } else {
        end(m, &to);
    }
}

static void log_unknown(const struct slot_move *m, const char *error) {
    static struct log_limit limit;

    if (log_limit_pass(&limit, 10)) {
        log_warn("slot_keys_unknown", LFI("shard", m->s->index), LF("problem", error));
    }
}

static void ask(struct slot_move *m);

static void on_timer(struct wheel_timer *timer) {
    ask(CONTAINER_OF(timer, struct slot_move, timer));
}

static void on_count(void *arg, enum redis_status status, const struct redis_reply *reply,
                     const char *error) {
    struct slot_move *m = arg;
    int64_t count;

    if (m->over) {
        return;
    }
    if (status != REDIS_OK || !redis_reply_int(reply, &count)) {
        log_unknown(m, error != NULL ? error : "malformed reply");
        end(m, &m->from);
        return;
    }
    if (count == 0) {
        m->s->emptied_ms = m->asked_ms;
        m->callbacks->on_emptied(m->s, &m->to);
    } else if (m->s->node->address.asking) {
        end(m, &m->from);
        return;
    }
    wheel_set(m->s->store->wheel, &m->timer, PERIOD_MS, on_timer);
}

static void ask(struct slot_move *m) {
    const struct str key[] = {{"EXISTS", 6}, m->s->keys.meta};
    const struct str count[] = {{"CLUSTER", 7}, {"COUNTKEYSINSLOT", 15}, str_of(m->slot)};

    m->asked_ms = clock_boot_ms();
    redis_link_command(m->link, ARRAY_LEN(key), key, ANSWER_MS, on_key, m);
    redis_link_command(m->link, ARRAY_LEN(count), count, ANSWER_MS, on_count, m);
}

static void on_up(void *ctx) {
    ask(ctx);
}

static void on_lost(void *ctx, const char *reason) {
    struct slot_move *m = ctx;

    (void)reason;
    end(m, &m->from);
}

struct slot_move *slot_move_create(struct shard *s, unsigned slot,
                                   const struct slot_move_callbacks *callbacks) {
    struct slot_move *m = mem_zalloc(sizeof *m);
    const struct redis_link_callbacks link_callbacks = {on_up, on_lost, on_lost, m};
    char *name = node_link_name(s->node, ":slot");

    m->s = s;
    m->callbacks = callbacks;
    m->from = s->node->address;
    m->from.asking = false;
    snprintf(m->slot, sizeof m->slot, "%u", slot);
    wheel_timer_init(&m->timer);
    m->link =
        redis_link_create_at(s->store->loop, s->store->config, &m->from, name, &link_callbacks);
    mem_free(name);
    return m;
}

void slot_move_destroy(struct slot_move **movep) {
    struct slot_move *m = *movep;

    if (m == NULL) {
        return;
    }
    *movep = NULL;
    m->over = true; /* for commands without an answer */
    m->s->emptied_ms = 0;
    wheel_cancel(&m->timer);
    redis_link_destroy(&m->link);
    mem_free(m);
}
