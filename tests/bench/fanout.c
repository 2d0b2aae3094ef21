/*
 * Fan-out: one room, its editor gives its lock and takes it, each of which is told to everyone: a
 * release by two messages, a grant by one. The next one is caused when everyone has the last. The
 * daemon and the floor take turns.
 */
#include "fanout.h"

#include <stdio.h>

#include "bench.h"
#include "floor.h"
#include "process.h"
#include "report.h"
#include "stack.h"

#define ENTER_MS 120000
#define DRAIN_MS 10000
#define WARM_UP_MS 300
#define MAX_ROUNDS 3

struct fanout {
    struct crowd *crowd;
    unsigned members;
    unsigned missing; /* deliveries that the last cause has still to bring */
    bool answered;    /* it has its reply */
    bool held, stopping;
    uint64_t deliveries, bytes;
};

static void cause(struct fanout *f) {
    f->missing = f->members * (f->held ? 2 : 1);
    f->answered = false;
    crowd_send(f->crowd, 0, f->held ? CROWD_RELEASE : CROWD_ACQUIRE);
    f->held = !f->held;
}

static void on_message(void *ctx, struct crowd *c, unsigned index, const struct crowd_message *m) {
    struct fanout *f = ctx;
    (void)c;
    (void)index;
    if (m->is_reply) {
        f->answered = true;
    } else if (f->missing > 0 &&
               (crowd_event_is(m, "lock:state") || crowd_event_is(m, "lock:released"))) {
        f->missing--;
        f->deliveries++;
        f->bytes += m->len;
    }
    if (f->missing == 0 && f->answered && !f->stopping) {
        cause(f);
    }
}

static bool is_quiet(void *ctx) {
    const struct fanout *f = ctx;
    return f->missing == 0 && f->answered;
}

static bool open_fanout(struct fanout *f, const struct crowd_plan *plan) {
    *f = (struct fanout){.members = plan->count, .held = true, .stopping = true, .answered = true};
    f->crowd = crowd_create(plan, on_message, f);
    /* The events of everyone's coming in are over when nothing has come for a while. */
    return crowd_enter(f->crowd, 0, plan->count, 64, ENTER_MS) &&
           crowd_run(f->crowd, WARM_UP_MS, NULL, NULL);
}

static bool measure(struct fanout *f, unsigned run_ms, pid_t server, struct fanout_cost *cost) {
    f->stopping = false;
    cause(f);
    if (!crowd_run(f->crowd, WARM_UP_MS, NULL, NULL)) {
        return false;
    }
    uint64_t cpu = process_cpu_ns(server), from = monotonic_ns();
    f->deliveries = f->bytes = 0;
    if (!crowd_run(f->crowd, run_ms, NULL, NULL)) {
        return false;
    }
    cpu = process_cpu_ns(server) - cpu;
    double deliveries = f->deliveries > 0 ? (double)f->deliveries : 1;
    cost->us = (double)cpu / 1000 / deliveries;
    cost->bytes = (double)f->bytes / deliveries;
    cost->per_second = deliveries / ((double)(monotonic_ns() - from) / 1e9);
    f->stopping = true;
    if (!crowd_run(f->crowd, DRAIN_MS, is_quiet, f)) {
        return false;
    }
    if (!is_quiet(f)) {
        complain("fan-out: %u deliveries of the last event did not come", f->missing);
    }
    return is_quiet(f);
}

bool fanout_round(const struct crowd_plan *plan, unsigned run_ms, pid_t server,
                  struct fanout_cost *cost) {
    struct fanout f;
    bool ok = open_fanout(&f, plan) && measure(&f, run_ms, server, cost);
    crowd_destroy(&f.crowd);
    return ok;
}

static bool one_size(const struct bench *b, const struct stack *s, unsigned receivers) {
    const struct crowd_plan plan = {.count = receivers + 1,
                                    .per_room = receivers + 1,
                                    .editors = true,
                                    .presence = "none",
                                    .alg = KEYS_HS256,
                                    .keys = &s->keys,
                                    .port = s->daemons[0].port};
    struct crowd_plan floor_plan = plan;
    struct samples own = {0}, bare = {0}, ratio = {0}, rate = {0}, bare_rate = {0};
    struct fanout_cost cost = {0}, floor_cost = {0};
    char what[112];
    pid_t floor = floor_start(FLOOR_FAN_OUT, &floor_plan.port);
    bool ok = floor > 0;
    for (unsigned i = 0; ok && i < b->rounds && i < MAX_ROUNDS; i++) {
        ok = fanout_round(&floor_plan, b->round_ms, floor, &floor_cost) &&
             fanout_round(&plan, b->round_ms, s->daemons[0].pid, &cost);
        samples_add(&own, cost.us);
        samples_add(&bare, floor_cost.us);
        samples_add(&ratio, cost.us / floor_cost.us);
        samples_add(&rate, cost.per_second);
        samples_add(&bare_rate, floor_cost.per_second);
    }
    process_stop(&floor);
    snprintf(what, sizeof what, "fan-out to %u receivers, events of %.0f bytes", receivers,
             cost.bytes);
    if (ok) {
        report_row(what, "", "%.0f deliveries/s (floor %.0f)", samples_quantile(&rate, 0.5),
                   samples_quantile(&bare_rate, 0.5));
        report_row("CPU a delivery, wslockd ÷ floor", "≤ 1.5, beyond ≤ 1.2",
                   "%.2f (%.2f µs ÷ %.2f µs)", samples_quantile(&ratio, 0.5),
                   samples_quantile(&own, 0.5), samples_quantile(&bare, 0.5));
    }
    samples_fini(&own);
    samples_fini(&bare);
    samples_fini(&ratio);
    samples_fini(&rate);
    samples_fini(&bare_rate);
    return ok;
}

bool run_fanout(const struct bench *b) {
    struct stack s;
    bool ok = true;
    if (!stack_start(&s, b, false)) {
        return false;
    }
    for (size_t i = 0; ok && i < ARRAY_LEN(b->receivers); i++) {
        ok = one_size(b, &s, b->receivers[i]);
    }
    stack_stop(&s);
    return ok;
}
