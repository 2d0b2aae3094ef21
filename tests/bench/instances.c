/*
 * Several daemons on one Redis, and on a Redis Cluster of three masters. Each has sessions of its
 * own that acquire and release the locks of rooms of their own, driven by a process of its own.
 * Once the rooms of each daemon are in all shards, so that every daemon reads the events of all;
 * once they are in shards of its own, as a load balancer that chooses by document would have it.
 * And: the memory that Redis needs for locks.
 */
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "crc16.h"
#include "cycle.h"
#include "process.h"
#include "report.h"
#include "stack.h"
#include "wslock/base/mem.h"

#define SHARDS 16 /* the default of redis.shards */
#define SETTLE_MS 1000

struct driver {
    pid_t pid;
    int orders, answers; /* pipes to it and from it */
};

static unsigned shard_of(unsigned room) {
    char document[32];
    int len = snprintf(document, sizeof document, "document:room-%u", room);

    return crc16((struct str){document, (size_t)len}) % SHARDS;
}

/* Rooms of the daemon `index` of `count`, numbered so that no two daemons have the same. */
static unsigned *choose_rooms(unsigned sessions, unsigned index, unsigned count, bool own_shards) {
    unsigned *rooms = mem_calloc(sessions, sizeof *rooms);
    unsigned found = 0;

    for (unsigned room = 0; found < sessions; room++) {
        if ((own_shards ? shard_of(room) : room) % count == index) {
            rooms[found++] = room;
        }
    }
    return rooms;
}

static bool start_driver(struct driver *d, const struct crowd_plan *plan, unsigned run_ms) {
    int orders[2], answers[2];

    if (pipe(orders) != 0 || pipe(answers) != 0) {
        return false;
    }
    d->pid = fork();
    if (d->pid == 0) {
        close(orders[1]);
        close(answers[0]);
        _exit(cycle_drive(plan, run_ms, orders[0], answers[1]) ? 0 : 1);
    }
    close(orders[0]);
    close(answers[1]);
    d->orders = orders[1];
    d->answers = answers[0];
    return d->pid > 0;
}

/* Whether all went well. */
static bool end_driver(struct driver *d) {
    int status = -1;

    close(d->orders);
    close(d->answers);
    return waitpid(d->pid, &status, 0) == d->pid && status == 0;
}

struct cost {
    double us, redis_us; /* CPU an operation, of all daemons together and of Redis */
};

static uint64_t daemons_cpu_ns(const struct stack *s) {
    uint64_t sum = 0;

    for (unsigned i = 0; i < s->daemon_count; i++) {
        sum += process_cpu_ns(s->daemons[i].pid);
    }
    return sum;
}

static bool take_answers(const struct stack *s, const struct driver *drivers, uint64_t *sum) {
    *sum = 0;
    for (unsigned i = 0; i < s->daemon_count; i++) {
        uint64_t one;
        if (read(drivers[i].answers, &one, sizeof one) != sizeof one) {
            return false;
        }
        *sum += one;
    }
    return true;
}

static bool give_orders(const struct stack *s, const struct driver *drivers) {
    for (unsigned i = 0; i < s->daemon_count; i++) {
        if (write(drivers[i].orders, "", 1) != 1) {
            return false;
        }
    }
    return true;
}

static bool measure(const struct stack *s, const struct driver *drivers, struct cost *cost) {
    uint64_t operations, ready;

    if (!take_answers(s, drivers, &ready) || !give_orders(s, drivers)) {
        return false;
    }
    usleep(CYCLE_WARM_UP_MS * 1000);
    uint64_t cpu = daemons_cpu_ns(s), redis = stack_redis_cpu_ns(s);
    if (!take_answers(s, drivers, &operations)) {
        return false;
    }
    double each = 1000 * (double)(operations > 0 ? operations : 1);
    cost->us = (double)(daemons_cpu_ns(s) - cpu) / each;
    cost->redis_us = (double)(stack_redis_cpu_ns(s) - redis) / each;
    return true;
}

static bool one_round(const struct bench *b, const struct stack *s, bool own_shards,
                      struct cost *cost) {
    struct driver drivers[STACK_DAEMONS] = {0};
    unsigned started = 0, sessions = b->in_flight / s->daemon_count;
    bool ok = true;

    for (unsigned i = 0; ok && i < s->daemon_count; i++) {
        unsigned *rooms = choose_rooms(sessions, i, s->daemon_count, own_shards);
        const struct crowd_plan plan = {.count = sessions,
                                        .per_room = 1,
                                        .rooms = rooms,
                                        .presence = "none",
                                        .alg = KEYS_HS256,
                                        .keys = &s->keys,
                                        .port = s->daemons[i].port};
        ok = start_driver(&drivers[i], &plan, b->round_ms);
        started += ok;
        mem_free(rooms);
    }
    ok = ok && measure(s, drivers, cost);
    for (unsigned i = 0; i < started; i++) {
        ok = end_driver(&drivers[i]) && ok;
    }
    return ok;
}

static void report(const struct stack *s, bool own_shards, struct samples *us,
                   struct samples *redis_us) {
    const char *store = s->redis > 0 ? "one Redis" : "a Cluster of 3";
    char what[112];

    snprintf(what, sizeof what, "%s, %u instance%s, rooms in %s: CPU an operation", store,
             s->daemon_count, s->daemon_count > 1 ? "s" : "",
             own_shards ? "shards of its own" : "all shards");
    report_row(what, "", "wslockd %.1f µs, Redis %.1f µs", samples_quantile(us, 0.5),
               samples_quantile(redis_us, 0.5));
}

static bool one_layout(const struct bench *b, const struct stack *s, bool own_shards) {
    struct samples us = {0}, redis_us = {0};
    struct cost cost = {0};
    bool ok = true;

    for (unsigned i = 0; ok && i < b->rounds; i++) {
        ok = one_round(b, s, own_shards, &cost);
        samples_add(&us, cost.us);
        samples_add(&redis_us, cost.redis_us);
        usleep(SETTLE_MS * 1000); /* for what the sessions' end causes */
    }
    if (ok) {
        report(s, own_shards, &us, &redis_us);
    }
    samples_fini(&us);
    samples_fini(&redis_us);
    return ok;
}

/* ---- memory ---- */

static double used_memory(const struct stack *s) {
    static const char NAME[] = "used_memory:";
    redisContext *c = redisConnectUnix(s->redis_socket);
    redisReply *reply = c != NULL ? redisCommand(c, "INFO memory") : NULL;
    const char *at =
        reply != NULL && reply->type == REDIS_REPLY_STRING ? strstr(reply->str, NAME) : NULL;
    double used = at != NULL ? strtod(at + sizeof NAME - 1, NULL) : 0;

    if (reply != NULL) {
        freeReplyObject(reply);
    }
    if (c != NULL) {
        redisFree(c);
    }
    return used;
}

/* A lock with its room of one member and its events and audit records of the last minute. */
static bool memory(const struct bench *b, const struct stack *s) {
    const struct crowd_plan plan = {.count = b->connections,
                                    .per_room = 1,
                                    .editors = true,
                                    .presence = "none",
                                    .alg = KEYS_HS256,
                                    .keys = &s->keys,
                                    .port = s->daemons[0].port};
    double before = used_memory(s);
    struct crowd *c = crowd_create(&plan, NULL, NULL);
    bool ok = crowd_enter(c, 0, plan.count, 64, 120000);

    if (ok) {
        report_row("Redis' memory a lock, with its member and the last minute's events", "",
                   "%.2f KiB (%u locks)", (used_memory(s) - before) / 1024 / plan.count,
                   plan.count);
    }
    crowd_destroy(&c);
    return ok;
}

/* With one daemon, then two, then four. */
static bool all_layouts(const struct bench *b, struct stack *s) {
    for (;;) {
        if (!one_layout(b, s, false) || (s->daemon_count > 1 && !one_layout(b, s, true))) {
            return false;
        }
        if (s->daemon_count == STACK_DAEMONS) {
            return true;
        }
        for (unsigned more = s->daemon_count; more > 0; more--) {
            if (!stack_add_daemon(s, b)) {
                return false;
            }
        }
    }
}

bool run_instances(const struct bench *b) {
    struct stack s;

    if (!stack_start(&s, b, false)) {
        return false;
    }
    bool ok = memory(b, &s);
    usleep(SETTLE_MS * 1000);
    ok = ok && all_layouts(b, &s);
    stack_stop(&s);
    if (!ok || !stack_start_cluster(&s, b)) {
        return false;
    }
    ok = all_layouts(b, &s);
    stack_stop(&s);
    return ok;
}
