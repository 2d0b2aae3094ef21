/* One attempt to connect: find, resolve, connect, greet; and the pause before the next. */
#include "link_private.h"

#include <stdio.h>

#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/base/rand.h"

static void connect_next(struct redis_link *link);
static void on_attempt_timer(uv_timer_t *timer);

void link_attempt_soon(struct redis_link *link, uint64_t delay_ms) {
    link->state = LINK_PAUSED;
    uv_timer_start(&link->attempt, on_attempt_timer, delay_ms, 0);
}

static uint64_t since_attempt_ms(const struct redis_link *link) {
    return uv_now(link->loop) - link->attempted_ms;
}

/* The pause doubles up to its maximum, less a random quarter so that instances spread out. A master
 * that is elsewhere now is connected to at once, but a Sentinel cannot make attempts follow faster
 * than the shortest pause. */
static uint64_t next_pause_ms(struct redis_link *link) {
    uint64_t pause = link->backoff_ms;

    if (link->switched) {
        link->switched = false;
        link->backoff_ms = LINK_BACKOFF_MIN_MS;
        return since_attempt_ms(link) < LINK_BACKOFF_MIN_MS ? LINK_BACKOFF_MIN_MS : 0;
    }

    link->backoff_ms = pause * 2 > LINK_BACKOFF_MAX_MS ? LINK_BACKOFF_MAX_MS : pause * 2;
    return pause - rand_below(pause / 4 + 1);
}

static void fail(struct redis_link *link, const char *reason) {
    if (link->sentinel != NULL && link->state != LINK_FINDING && !link->switched) {
        sentinel_doubt(link->sentinel);
    }
    link_attempt_soon(link, next_pause_ms(link));
    link->callbacks.on_fail(link->callbacks.ctx, reason);
}

void link_handle_gone(struct redis_link *link) {
    bool was_up = link->state == LINK_UP;
    char reason[LINK_REASON_LEN];

    link->gone = false;
    snprintf(reason, sizeof reason, "%s", link->reason[0] ? link->reason : "connection lost");
    link->reason[0] = '\0';
    if (was_up) {
        link_attempt_soon(link, next_pause_ms(link));
        link->callbacks.on_down(link->callbacks.ctx, reason);
        return;
    }
    if (link->state == LINK_CONNECTING && link->address_next < link->addresses.count) {
        connect_next(link);
        return;
    }
    fail(link, link->greeting_error[0] ? link->greeting_error : reason);
}

/* ---- greeting ---- */

static void on_up(struct redis_link *link) {
    link->state = LINK_UP;
    link->finder.up = true;
    link->backoff_ms = LINK_BACKOFF_MIN_MS;
    uv_timer_stop(&link->attempt);
    link->callbacks.on_up(link->callbacks.ctx);
}

static bool is_master(const redisReply *info) {
    static const char wanted[] = "\r\nrole:master\r\n";

    return info->type == REDIS_REPLY_STRING &&
           memmem(info->str, (size_t)info->len, wanted, sizeof wanted - 1) != NULL;
}

static void on_role(redisAsyncContext *ac, void *reply_ptr, void *ignored) {
    struct redis_link *link = ac->data;
    const redisReply *reply = reply_ptr;

    (void)ignored;
    if (reply != NULL && link->state == LINK_GREETING && reply->type != REDIS_REPLY_ERROR &&
        !is_master(reply)) {
        snprintf(link->greeting_error, sizeof link->greeting_error, "it is not a master");
        redis_link_reset(link, link->greeting_error);
    }
}

static void on_greeting(redisAsyncContext *ac, void *reply_ptr, void *what) {
    struct redis_link *link = ac->data;
    const redisReply *reply = reply_ptr;
    bool last = what != NULL && strcmp(what, "PING") == 0;

    if (reply == NULL || link->state != LINK_GREETING) {
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR && what != NULL && !link->greeting_error[0]) {
        snprintf(link->greeting_error, sizeof link->greeting_error, "%s: %.200s",
                 (const char *)what, reply->str);
    }
    if (link->greeting_error[0]) {
        redis_link_reset(link, link->greeting_error);
    } else if (last) {
        on_up(link);
    }
}

static void greet(struct redis_link *link) {
    const struct config *c = link->config;
    const char *argv[] = {"AUTH", c->redis.username != NULL ? c->redis.username : c->redis.password,
                          c->redis.password};
    char database[16];

    link->state = LINK_GREETING;
    link->greeting_error[0] = '\0';
    if (c->redis.password != NULL) {
        redisAsyncCommandArgv(link->ac, on_greeting, "AUTH", c->redis.username != NULL ? 3 : 2,
                              argv, NULL);
    }
    if (c->redis.database != 0) {
        const char *select[] = {"SELECT", database};

        snprintf(database, sizeof database, "%d", c->redis.database);
        redisAsyncCommandArgv(link->ac, on_greeting, "SELECT", 2, select, NULL);
    }
    /* For the operator only; an ACL may refuse it. */
    redisAsyncCommandArgv(link->ac, on_greeting, NULL, 3,
                          (const char *[]){"CLIENT", "SETNAME", link->name}, NULL);
    if (link->sentinel != NULL) { /* INFO needs no right that the scripts do not need; ROLE does */
        redisAsyncCommandArgv(link->ac, on_role, NULL, 2, (const char *[]){"INFO", "replication"},
                              NULL);
    }
    /* Redis refuses it while it loads its data: LINK_UP means usable. */
    redisAsyncCommandArgv(link->ac, on_greeting, "PING", 1, (const char *[]){"PING"}, NULL);
}

/* ---- the socket ---- */

static void on_connected(const redisAsyncContext *ac, int status) {
    struct redis_link *link = ac->data;

    if (status == REDIS_OK && link->ac != NULL && link->state == LINK_CONNECTING) {
        redis_adapter_set_connected(link->adapter);
        greet(link);
    }
}

static void on_dirty(void *ctx) {
    struct redis_link *link = ctx;

    if (!link->dirty) {
        link->dirty = true;
        link_wake(link);
    }
}

static void on_gone(void *ctx, const char *reason) {
    struct redis_link *link = ctx;
    char text[LINK_REASON_LEN];

    if (reason[0]) {
        snprintf(link->reason, sizeof link->reason, "%s", reason);
    }
    if (link->tls != NULL && link->ac != NULL) {
        snprintf(text, sizeof text, "%s", link->reason);
        redis_tls_explain(link->tls, &link->ac->c, text, link->reason, sizeof link->reason);
    }
    link->ac = NULL;
    link->adapter = NULL;
    link->dirty = false;
    link->finder.up = false;
    link->gone = true;
    link_wake(link);
}

/* Takes a context that hiredis has begun to connect. Ends in on_connected or on_gone. */
static void adopt(struct redis_link *link, redisAsyncContext *ac) {
    const struct redis_adapter_owner owner = {on_dirty, on_gone, link};
    const char *problem = "out of memory";

    if (ac == NULL || ac->err) {
        problem = ac != NULL ? ac->errstr : problem;
        goto failed;
    }
    if (link->tls != NULL && !redis_tls_start(link->tls, &ac->c, link->host, &problem)) {
        goto failed;
    }
    ac->data = link;
    link->adapter = redis_adapter_attach(ac, link->loop, &owner);
    if (link->adapter == NULL) {
        problem = "cannot watch the socket";
        goto failed;
    }
    link->ac = ac;
    redisAsyncSetConnectCallback(ac, on_connected);
    return;

failed:
    on_gone(link, problem);
    if (ac != NULL) {
        redisAsyncFree(ac);
    }
}

static void connect_next(struct redis_link *link) {
    link->state = LINK_CONNECTING;
    if (link->host == NULL) {
        adopt(link, redisAsyncConnectUnix(link->config->redis.unix_path));
    } else {
        adopt(link, redisAsyncConnect(link->addresses.text[link->address_next++], link->port));
    }
}

/* ---- names and attempts ---- */

static void on_resolved(void *ctx, const struct redis_addresses *addresses, const char *problem) {
    struct redis_link *link = ctx;
    char reason[LINK_REASON_LEN];

    link->lookup = NULL;
    if (addresses->count == 0) {
        snprintf(reason, sizeof reason, "%.128s: %s", link->host, problem);
        fail(link, reason);
        return;
    }
    link->addresses = *addresses;
    connect_next(link);
}

static void resolve(struct redis_link *link) {
    const char *problem;

    link->state = LINK_RESOLVING;
    link->lookup = redis_lookup_start(link->loop, link->host, on_resolved, link, &problem);
    if (link->lookup == NULL) {
        fail(link, problem);
    }
}

/* host NULL: the unix socket. */
static void begin(struct redis_link *link, const char *host, int port) {
    uint64_t limit_ms = (uint64_t)link->config->redis.command_timeout_ms;

    limit_ms = limit_ms < LINK_ATTEMPT_MAX_MS ? limit_ms : LINK_ATTEMPT_MAX_MS;
    uv_timer_start(&link->attempt, on_attempt_timer, limit_ms, 0);
    link->host = host;
    link->port = port;
    link->addresses.count = link->address_next = 0;
    if (host != NULL && !redis_is_address(host)) {
        resolve(link);
        return;
    }
    if (host != NULL) {
        snprintf(link->addresses.text[link->addresses.count++], LOOKUP_ADDRESS_LEN, "%s", host);
    }
    connect_next(link);
}

/* ---- the master, by its name ---- */

/* address NULL: it is not known. */
static void set_target(struct redis_link *link, const struct redis_address *address) {
    const char *name = link->config->redis.sentinel_master;

    mem_free(link->target);
    if (address == NULL) {
        link->target = mem_printf("master %s", name);
    } else {
        link->target = mem_printf(strchr(address->host, ':') != NULL ? "master %s ([%s]:%d)"
                                                                     : "master %s (%s:%d)",
                                  name, address->host, address->port);
    }
}

static void on_found(void *ctx, const struct redis_address *address) {
    struct redis_link *link = ctx;

    if (link->state == LINK_FINDING) {
        set_target(link, address);
        begin(link, address->host, address->port);
    }
}

static void on_not_found(void *ctx, const char *reason) {
    struct redis_link *link = ctx;

    if (link->state == LINK_FINDING) {
        set_target(link, NULL);
        fail(link, reason);
    }
}

static void on_switched(void *ctx) {
    struct redis_link *link = ctx;

    link->switched = true;
    switch (link->state) {
    case LINK_RESOLVING:
        redis_lookup_forget(&link->lookup);
        link_attempt_soon(link, next_pause_ms(link));
        return;
    case LINK_PAUSED:
        link_attempt_soon(link, next_pause_ms(link));
        return;
    case LINK_CONNECTING:
    case LINK_GREETING:
    case LINK_UP:
        link->address_next = link->addresses.count;
        redis_link_reset(link, "the master has moved");
        return;
    case LINK_FINDING:
    case LINK_CLOSED:
        return;
    }
}

void link_init_finder(struct redis_link *link, const struct redis_link *beside) {
    link->finder = (struct sentinel_user){
        .on_found = on_found, .on_failed = on_not_found, .on_switched = on_switched, .ctx = link};
    if (link->config->redis.sentinel_master != NULL) {
        link->sentinel =
            beside != NULL ? beside->sentinel : sentinel_create(link->loop, link->config);
        sentinel_join(link->sentinel, &link->finder);
    }
}

/* ---- attempts ---- */

static bool prepare_tls(struct redis_link *link) {
    char *problem = NULL;

    if (!link->config->redis.use_tls || link->tls != NULL) {
        return true;
    }
    link->tls = redis_tls_create(link->config, &problem);
    if (link->tls == NULL) {
        fail(link, problem);
        mem_free(problem);
    }
    return link->tls != NULL;
}

static void attempt(struct redis_link *link) {
    const struct config *c = link->config;

    link->attempted_ms = uv_now(link->loop);
    link->switched = false;
    if (!prepare_tls(link)) {
        return;
    }
    if (link->address.port != 0) {
        begin(link, link->address.host, link->address.port);
        return;
    }
    if (link->sentinel == NULL) {
        begin(link, c->redis.unix_path != NULL ? NULL : c->redis.host, c->redis.port);
        return;
    }
    link->state = LINK_FINDING;
    if (sentinel_find(link->sentinel, &link->finder)) {
        on_found(link, &link->finder.at);
    }
}

static void on_attempt_timer(uv_timer_t *timer) {
    struct redis_link *link = timer->data;

    switch (link->state) {
    case LINK_PAUSED:
        attempt(link);
        return;
    case LINK_FINDING: /* has a deadline of its own */
        return;
    case LINK_RESOLVING:
        redis_lookup_forget(&link->lookup);
        fail(link, "resolving the name timed out");
        return;
    case LINK_CONNECTING:
    case LINK_GREETING:
        link->address_next = link->addresses.count; /* no further address is tried */
        if (link->ac != NULL) {
            redis_link_reset(link, "connecting timed out");
        }
        return;
    case LINK_UP:
    case LINK_CLOSED:
        return;
    }
}
