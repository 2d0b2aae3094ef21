/*
 * Heartbeats of many holders, some in flight, first with few connections and then with many: what a
 * message costs must not depend on how many others are there.
 */
#include <stdio.h>

#include "bench.h"
#include "crowd.h"
#include "floor.h"
#include "process.h"
#include "report.h"
#include "stack.h"

#define ENTER_MS 300000
#define DRAIN_MS 10000
#define WARM_UP_MS 500
#define FEW 100u
#define IN_FLIGHT 50u

struct rate {
    struct crowd *crowd;
    unsigned count;   /* sessions that take part */
    unsigned next;    /* whose turn it is */
    unsigned waiting; /* for an answer */
    bool stopping;
    uint64_t messages;
};

struct cost {
    double us, redis_us, per_second;
};

static void send_next(struct rate *r) {
    r->waiting++;
    crowd_send(r->crowd, r->next, CROWD_HEARTBEAT);
    r->next = (r->next + 1) % r->count;
}

static void on_message(void *ctx, struct crowd *c, unsigned index, const struct crowd_message *m) {
    struct rate *r = ctx;
    (void)c;
    (void)index;
    if (!m->is_reply) {
        return;
    }
    r->messages++;
    r->waiting--;
    if (!r->stopping) {
        send_next(r);
    }
}

static bool is_quiet(void *ctx) {
    const struct rate *r = ctx;
    return r->waiting == 0;
}

static bool measure(struct rate *r, unsigned count, unsigned run_ms, pid_t server, pid_t redis,
                    struct cost *cost) {
    r->count = count;
    r->next = 0;
    r->stopping = false;
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        send_next(r);
    }
    if (!crowd_run(r->crowd, WARM_UP_MS, NULL, NULL)) {
        return false;
    }
    uint64_t cpu = process_cpu_ns(server), redis_cpu = redis ? process_cpu_ns(redis) : 0;
    uint64_t from = monotonic_ns();
    r->messages = 0;
    if (!crowd_run(r->crowd, run_ms, NULL, NULL)) {
        return false;
    }
    double messages = r->messages > 0 ? (double)r->messages : 1;
    cost->us = (double)(process_cpu_ns(server) - cpu) / 1000 / messages;
    cost->redis_us = redis ? (double)(process_cpu_ns(redis) - redis_cpu) / 1000 / messages : 0;
    cost->per_second = messages / ((double)(monotonic_ns() - from) / 1e9);
    r->stopping = true;
    return crowd_run(r->crowd, DRAIN_MS, is_quiet, r) && r->waiting == 0;
}

/* Medians of several measurements. */
static bool measure_median(struct rate *r, const struct bench *b, unsigned count, pid_t server,
                           pid_t redis, struct cost *cost) {
    struct samples us = {0}, redis_us = {0}, per_second = {0};
    bool ok = true;
    for (unsigned i = 0; ok && i < b->rounds; i++) {
        ok = measure(r, count, b->round_ms, server, redis, cost);
        samples_add(&us, cost->us);
        samples_add(&redis_us, cost->redis_us);
        samples_add(&per_second, cost->per_second);
    }
    *cost = (struct cost){samples_quantile(&us, 0.5), samples_quantile(&redis_us, 0.5),
                          samples_quantile(&per_second, 0.5)};
    samples_fini(&us);
    samples_fini(&redis_us);
    samples_fini(&per_second);
    return ok;
}

/* A server with few connections, then with many. */
static bool few_and_many(const struct bench *b, const struct crowd_plan *plan, pid_t server,
                         pid_t redis, struct cost *few, struct cost *many) {
    struct rate r = {0};
    const unsigned some = plan->count < FEW ? plan->count : FEW;
    r.crowd = crowd_create(plan, on_message, &r);
    bool ok = crowd_enter(r.crowd, 0, some, 64, ENTER_MS) &&
              measure_median(&r, b, some, server, redis, few) &&
              crowd_enter(r.crowd, some, plan->count, 64, ENTER_MS) &&
              measure_median(&r, b, plan->count, server, redis, many);
    crowd_destroy(&r.crowd);
    return ok;
}

static void report(const struct bench *b, const struct cost *few, const struct cost *many,
                   const struct cost *floor_few, const struct cost *floor_many) {
    char what[112];
    snprintf(what, sizeof what, "heartbeats, %u in flight, %u connections", IN_FLIGHT,
             b->connections);
    report_row(what, "", "%.0f/s; CPU each: wslockd %.1f µs, its Redis %.1f µs", many->per_second,
               many->us, many->redis_us);
    snprintf(what, sizeof what, "CPU a message at %u connections ÷ at %u", b->connections, FEW);
    report_row(what, "≤ 1.5, beyond ≤ 1.2",
               "%.2f (%.1f µs ÷ %.1f µs); floor %.2f (%.1f µs ÷ %.1f µs)", many->us / few->us,
               many->us, few->us, floor_many->us / floor_few->us, floor_many->us, floor_few->us);
}

bool run_rate(const struct bench *b) {
    struct cost few = {0}, many = {0}, floor_few = {0}, floor_many = {0};
    struct stack s;
    if (!stack_start(&s, b, false)) {
        return false;
    }
    struct crowd_plan plan = {.count = b->connections,
                              .per_room = 1,
                              .editors = true,
                              .presence = "none",
                              .alg = KEYS_HS256,
                              .keys = &s.keys,
                              .port = s.daemons[0].port};
    bool ok = few_and_many(b, &plan, s.daemons[0].pid, s.redis, &few, &many);
    pid_t floor = ok ? floor_start(FLOOR_ECHO, &plan.port) : 0;
    ok = floor > 0 && few_and_many(b, &plan, floor, 0, &floor_few, &floor_many);
    process_stop(&floor);
    stack_stop(&s);
    if (ok) {
        report(b, &few, &many, &floor_few, &floor_many);
    }
    return ok;
}
