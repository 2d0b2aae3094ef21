/*
 * A round asks the Sentinels in turn, from the one that answered last. The first that gives an
 * address is watched. As long as a link is connected to a master, another address counts only if no
 * further Sentinel names that master: one that was cut off may still name an old one. If the
 * watched connection ends, another round follows after a pause, so that a change is not missed for
 * longer than that.
 */
#include "sentinel.h"

#include <stdio.h>

#include "sentinel_conn.h"

#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/base/rand.h"
#include "wslock/metrics/metrics.h"

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 1000
#define REASON_LEN 512 /* names every Sentinel that failed, as far as they fit */

struct sentinel {
    uv_loop_t *loop;
    const struct config *config;
    struct redis_tls *tls; /* NULL without TLS */
    struct list users;
    struct redis_address master; /* as last heard; port 0: never */

    size_t first;                 /* the Sentinel that is asked first */
    size_t asked;                 /* in this round */
    bool doubted;                 /* since the last answer */
    bool moved;                   /* `master` comes from a message, and nobody has doubted it */
    struct sentinel_conn *asking; /* NULL: no round */
    struct sentinel_conn *watch;  /* NULL: none */
    struct redis_address other; /* named in this round, against a connected master; port 0: none */
    char reason[REASON_LEN];    /* of this round's failures */
    uint64_t pause_ms;
    uv_timer_t timer; /* the next round, without anybody's request */
};

static void on_address(void *ctx, const struct redis_address *address);
static void on_watching(void *ctx);
static void on_switch(void *ctx, const struct redis_address *address);
static void on_end(void *ctx, struct sentinel_conn *conn, const char *reason);

/* ---- rounds ---- */

static void ask_next(struct sentinel *s) {
    const struct sentinel_conn_callbacks callbacks = {on_address, on_watching, on_switch, on_end,
                                                      s};
    const struct config_strings *nodes = &s->config->redis.sentinel_nodes;

    s->asking = sentinel_conn_open(s->loop, s->config, s->tls,
                                   nodes->items[(s->first + s->asked) % nodes->count], &callbacks);
}

static void prepare_tls(struct sentinel *s) {
    char *problem = NULL;

    if (s->config->redis.use_tls && s->tls == NULL) {
        s->tls = redis_tls_create(s->config, &problem); /* the links report the problem */
        mem_free(problem);
    }
}

static void begin_round(struct sentinel *s) {
    if (s->asking != NULL) {
        return;
    }
    uv_timer_stop(&s->timer);
    s->moved = false;
    prepare_tls(s);
    s->asked = 0;
    s->other.port = 0;
    s->reason[0] = '\0';
    ask_next(s);
}

static void on_timer(uv_timer_t *timer) {
    begin_round(timer->data);
}

static void begin_later(struct sentinel *s) {
    uint64_t pause = s->pause_ms;

    s->pause_ms = pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause * 2;
    uv_timer_start(&s->timer, on_timer, pause - rand_below(pause / 4 + 1), 0);
}

/* ---- what users are told ---- */

static void set_master(struct sentinel *s, const struct redis_address *address,
                       const struct sentinel_conn *from) {
    bool first = s->master.port == 0;

    if (redis_address_eq(&s->master, address)) {
        return;
    }
    s->master = *address;
    log_info("master_found", LF("master", s->config->redis.sentinel_master),
             LF("host", address->host), LFI("port", address->port),
             LF("sentinel", sentinel_conn_node(from)));
    if (!first) {
        metrics_add(METRIC_MASTER_SWITCHES, 1, NULL, NULL);
    }
}

static void tell_all(struct sentinel *s) {
    LIST_FOREACH_ENTRY(struct sentinel_user, user, node, &s->users) {
        bool elsewhere = user->at.port != 0 && !redis_address_eq(&user->at, &s->master);

        if (user->waiting) {
            user->waiting = false;
            user->at = s->master;
            user->on_found(user->ctx, &user->at);
        } else if (elsewhere) {
            user->at.port = 0;
            user->up = false;
            user->on_switched(user->ctx);
        }
    }
}

static void tell_failed(struct sentinel *s) {
    char reason[REASON_LEN + 128];

    snprintf(reason, sizeof reason, "no Sentinel tells where the master \"%.64s\" is: %s",
             s->config->redis.sentinel_master, s->reason);
    LIST_FOREACH_ENTRY(struct sentinel_user, user, node, &s->users) {
        if (user->waiting) {
            user->waiting = false;
            user->on_failed(user->ctx, reason);
        }
    }
}

/* ---- what Sentinels say ---- */

static bool is_last(const struct sentinel *s) {
    return s->asked + 1 == s->config->redis.sentinel_nodes.count;
}

static bool contradicts(const struct sentinel *s, const struct redis_address *address) {
    LIST_FOREACH_ENTRY(const struct sentinel_user, user, node, &s->users) {
        if (user->up && !redis_address_eq(&user->at, address)) {
            return true;
        }
    }
    return false;
}

/* Only a connection that asks gets an address. It becomes the watched one. */
static void on_address(void *ctx, const struct redis_address *address) {
    struct sentinel *s = ctx;

    if (contradicts(s, address) && !is_last(s)) {
        s->other = *address;
        sentinel_conn_close(&s->asking);
        s->asked++;
        ask_next(s);
        return;
    }
    s->first = (s->first + s->asked) % s->config->redis.sentinel_nodes.count;
    s->doubted = false;
    sentinel_conn_close(&s->watch);
    s->watch = s->asking;
    s->asking = NULL;
    set_master(s, address, s->watch);
    tell_all(s);
}

static void on_watching(void *ctx) {
    struct sentinel *s = ctx;

    s->pause_ms = PAUSE_MIN_MS;
}

/* Another Sentinel that is being asked may not know it yet. */
static void on_switch(void *ctx, const struct redis_address *address) {
    struct sentinel *s = ctx;

    sentinel_conn_close(&s->asking);
    s->moved = true;
    set_master(s, address, s->watch);
    tell_all(s);
}

static void log_failed(const struct sentinel_conn *conn, const char *reason) {
    static struct log_limit limit;

    metrics_add(METRIC_SENTINEL_FAILED, 1, NULL, NULL);
    if (log_limit_pass(&limit, 10)) {
        log_warn("sentinel_failed", LF("sentinel", sentinel_conn_node(conn)),
                 LF("problem", reason));
    }
}

static void note_reason(struct sentinel *s, const struct sentinel_conn *conn, const char *reason) {
    size_t len = strlen(s->reason);

    snprintf(s->reason + len, sizeof s->reason - len, "%s%s: %s", len > 0 ? "; " : "",
             sentinel_conn_node(conn), reason);
}

static void on_end(void *ctx, struct sentinel_conn *conn, const char *reason) {
    struct sentinel *s = ctx;

    log_failed(conn, reason);
    if (conn == s->watch) {
        sentinel_conn_close(&s->watch);
        if (s->asking == NULL) {
            begin_later(s);
        }
        return;
    }
    note_reason(s, conn, reason);
    if (is_last(s) && s->other.port != 0) {
        set_master(s, &s->other, conn);
    }
    sentinel_conn_close(&s->asking);
    s->asked++;
    if (s->asked < s->config->redis.sentinel_nodes.count) {
        ask_next(s);
        return;
    }
    if (s->watch == NULL) {
        begin_later(s);
    }
    if (s->other.port != 0) {
        tell_all(s);
    } else {
        tell_failed(s);
    }
}

/* ---- users ---- */

struct sentinel *sentinel_create(uv_loop_t *loop, const struct config *config) {
    struct sentinel *s = mem_zalloc(sizeof *s);

    s->loop = loop;
    s->config = config;
    s->pause_ms = PAUSE_MIN_MS;
    list_init(&s->users);
    uv_timer_init(loop, &s->timer);
    s->timer.data = s;
    return s;
}

static void on_timer_closed(uv_handle_t *handle) {
    mem_free(handle->data);
}

void sentinel_join(struct sentinel *s, struct sentinel_user *user) {
    list_push_back(&s->users, &user->node);
}

void sentinel_leave(struct sentinel *s, struct sentinel_user *user) {
    list_remove(&user->node);
    if (!list_empty(&s->users)) {
        return;
    }
    sentinel_conn_close(&s->asking);
    sentinel_conn_close(&s->watch);
    redis_tls_destroy(&s->tls);
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

bool sentinel_find(struct sentinel *s, struct sentinel_user *user) {
    LIST_FOREACH_ENTRY(const struct sentinel_user, other, node, &s->users) {
        if (other != user && other->up) {
            user->at = other->at;
            return true;
        }
    }
    if (s->moved && s->watch != NULL) {
        user->at = s->master;
        return true;
    }
    user->waiting = true;
    begin_round(s);
    return false;
}

void sentinel_doubt(struct sentinel *s) {
    s->moved = false;
    if (!s->doubted && s->asking == NULL) { /* several links may find it */
        s->doubted = true;
        s->first = (s->first + 1) % s->config->redis.sentinel_nodes.count;
    }
}
