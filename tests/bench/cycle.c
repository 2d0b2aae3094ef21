/*
 * Acquire and release. Many in flight: every session has a room of its own and takes and gives its
 * lock over and over; an operation is one request. Low load: one session, one request at a time.
 * The daemon, the floor and direct calls take turns.
 */
#include "cycle.h"

#include <stdio.h>
#include <unistd.h>

#include "bench.h"
#include "direct.h"
#include "floor.h"
#include "process.h"
#include "report.h"
#include "stack.h"
#include "wslock/base/mem.h"

#define ENTER_MS 60000
#define DRAIN_MS 10000

struct cycle {
    struct crowd *crowd;
    unsigned active;   /* sessions that take part */
    unsigned waiting;  /* of them, for an answer */
    uint64_t *sent_ns; /* by session */
    bool stopping;
    uint64_t operations;
    uint64_t left;             /* acquires to be made yet */
    struct samples acquire_us; /* when wanted */
    bool wants_latency;
};

static void request(struct cycle *y, unsigned index, enum crowd_request what) {
    y->sent_ns[index] = monotonic_ns();
    y->waiting++;
    crowd_send(y->crowd, index, what);
}

static void on_message(void *ctx, struct crowd *c, unsigned index, const struct crowd_message *m) {
    struct cycle *y = ctx;
    (void)c;
    if (!m->is_reply) {
        return;
    }
    y->waiting--;
    y->operations++;
    if (crowd_event_is(m, "lock:acquired")) {
        if (y->wants_latency) {
            samples_add(&y->acquire_us, (double)(monotonic_ns() - y->sent_ns[index]) / 1000);
        }
        request(y, index, CROWD_RELEASE);
        return;
    }
    if (y->stopping || y->left == 0) {
        return;
    }
    y->left--;
    request(y, index, CROWD_ACQUIRE);
}

static bool is_quiet(void *ctx) {
    const struct cycle *y = ctx;
    return y->waiting == 0;
}

static bool begin(struct cycle *y, uint64_t acquires) {
    y->stopping = false;
    y->left = acquires;
    for (unsigned i = 0; i < y->active && y->left > 0; i++) {
        y->left--;
        request(y, i, CROWD_ACQUIRE);
    }
    return true;
}

static bool open_cycle(struct cycle *y, const struct crowd_plan *plan) {
    *y = (struct cycle){.active = plan->count};
    y->crowd = crowd_create(plan, on_message, y);
    y->sent_ns = mem_calloc(plan->count, sizeof *y->sent_ns);
    return crowd_enter(y->crowd, 0, plan->count, 64, ENTER_MS);
}

static void close_cycle(struct cycle *y) {
    crowd_destroy(&y->crowd);
    samples_fini(&y->acquire_us);
    mem_free(y->sent_ns);
}

static double each_us(uint64_t ns, uint64_t count) {
    return (double)ns / 1000 / (double)(count > 0 ? count : 1);
}

/* One round with everything in flight; redis may be 0. */
static bool measure(struct cycle *y, unsigned run_ms, pid_t server, pid_t redis,
                    struct cycle_cost *cost) {
    begin(y, UINT64_MAX);
    if (!crowd_run(y->crowd, CYCLE_WARM_UP_MS, NULL, NULL)) {
        return false;
    }
    uint64_t from = monotonic_ns(), cpu = process_cpu_ns(server);
    uint64_t redis_cpu = redis ? process_cpu_ns(redis) : 0;
    y->operations = 0;
    if (!crowd_run(y->crowd, run_ms, NULL, NULL)) {
        return false;
    }
    uint64_t seen = redis ? process_cpu_ns(redis) : 0;
    cost->us = each_us(process_cpu_ns(server) - cpu, y->operations);
    cost->redis_us = each_us(seen - redis_cpu, y->operations);
    cost->per_second = (double)y->operations / ((double)(monotonic_ns() - from) / 1e9);
    y->stopping = true;
    return crowd_run(y->crowd, DRAIN_MS, is_quiet, y) && y->waiting == 0;
}

bool cycle_round(const struct crowd_plan *plan, unsigned run_ms, pid_t server, pid_t redis,
                 struct cycle_cost *cost) {
    struct cycle y;
    bool ok = open_cycle(&y, plan) && measure(&y, run_ms, server, redis, cost);
    close_cycle(&y);
    return ok;
}

static bool answer(int answers, uint64_t number) {
    return write(answers, &number, sizeof number) == sizeof number;
}

bool cycle_drive(const struct crowd_plan *plan, unsigned run_ms, int orders, int answers) {
    struct cycle y;
    char order;
    bool ok = open_cycle(&y, plan) && answer(answers, 0) && read(orders, &order, 1) == 1 &&
              begin(&y, UINT64_MAX) && crowd_run(y.crowd, CYCLE_WARM_UP_MS, NULL, NULL);

    y.operations = 0;
    ok = ok && crowd_run(y.crowd, run_ms, NULL, NULL) && answer(answers, y.operations);
    y.stopping = true;
    ok = ok && crowd_run(y.crowd, DRAIN_MS, is_quiet, &y) && y.waiting == 0;
    close_cycle(&y);
    return ok;
}

/* ---- many in flight ---- */

struct figures {
    struct samples daemon, redis, echo, same_io, direct, direct_redis; /* µs of CPU an operation */
    struct samples ratio, ratio_echo;
    struct samples rate;
};

static bool measure_floor(const struct bench *b, const struct crowd_plan *plan,
                          enum floor_kind kind, double *us) {
    struct crowd_plan floor_plan = *plan;
    struct cycle_cost cost = {0};
    pid_t floor = floor_start(kind, &floor_plan.port);
    bool ok = floor > 0 && cycle_round(&floor_plan, b->round_ms, floor, 0, &cost);
    process_stop(&floor);
    *us = cost.us;
    return ok;
}

static bool one_round(const struct bench *b, const struct stack *s, const struct crowd_plan *plan,
                      struct cycle *daemon, struct figures *f) {
    struct direct_result direct;
    struct cycle_cost cost;
    double echo, same_io;
    if (!measure_floor(b, plan, FLOOR_ECHO, &echo) ||
        !measure_floor(b, plan, FLOOR_SAME_IO, &same_io) ||
        !direct_in_flight(s->redis_socket, b->in_flight, b->round_ms, s->redis, &direct) ||
        !measure(daemon, b->round_ms, s->daemons[0].pid, s->redis, &cost)) {
        return false;
    }
    double call = each_us(direct.cpu_ns, direct.calls);
    samples_add(&f->echo, echo);
    samples_add(&f->same_io, same_io);
    samples_add(&f->direct, call);
    samples_add(&f->direct_redis, each_us(direct.redis_ns, direct.calls));
    samples_add(&f->daemon, cost.us);
    samples_add(&f->redis, cost.redis_us);
    samples_add(&f->ratio, cost.us / (same_io + call));
    samples_add(&f->ratio_echo, cost.us / (echo + call));
    samples_add(&f->rate, cost.per_second);
    return true;
}

static double median(struct samples *s) {
    return samples_quantile(s, 0.5);
}

static void report_in_flight(const struct bench *b, struct figures *f, struct samples *latency) {
    char what[112];
    snprintf(what, sizeof what, "acquire/release, %u in flight: rate", b->in_flight);
    report_row(what, "", "%.0f operations/s; acquire p50 %.1f ms, p99 %.1f ms", median(&f->rate),
               samples_quantile(latency, 0.5) / 1000, samples_quantile(latency, 0.99) / 1000);
    report_row("CPU an operation", "", "wslockd %.1f µs, its Redis %.1f µs", median(&f->daemon),
               median(&f->redis));
    report_row("beside it", "",
               "floor: echo %.1f µs, same frames %.1f µs; direct call %.1f µs (its Redis %.1f µs)",
               median(&f->echo), median(&f->same_io), median(&f->direct), median(&f->direct_redis));
    report_row("wslockd ÷ (floor with the same frames + direct)", "≤ 1.6, beyond ≤ 1.4", "%.2f",
               median(&f->ratio));
    report_row("wslockd ÷ (floor that echoes + direct)", "", "%.2f", median(&f->ratio_echo));
    report_row("operations a CPU second of wslockd + Redis", "", "%.0f",
               1e6 / (median(&f->daemon) + median(&f->redis)));
}

static void free_figures(struct figures *f) {
    struct samples *const all[] = {&f->daemon,  &f->redis,      &f->echo,
                                   &f->same_io, &f->direct,     &f->direct_redis,
                                   &f->ratio,   &f->ratio_echo, &f->rate};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        samples_fini(all[i]);
    }
}

static bool in_flight(const struct bench *b, const struct stack *s, const struct crowd_plan *plan) {
    struct figures f = {0};
    struct cycle daemon;
    bool ok = open_cycle(&daemon, plan);
    daemon.wants_latency = true;
    for (unsigned i = 0; ok && i < b->rounds; i++) {
        ok = one_round(b, s, plan, &daemon, &f);
    }
    if (ok) {
        report_in_flight(b, &f, &daemon.acquire_us);
    }
    close_cycle(&daemon);
    free_figures(&f);
    return ok;
}

/* ---- low load ---- */

static bool one_by_one(struct cycle *y, unsigned calls) {
    y->active = 1;
    begin(y, calls);
    return crowd_run(y->crowd, calls * 20 + DRAIN_MS, is_quiet, y) && y->waiting == 0;
}

static bool low_load(const struct bench *b, const struct stack *s, const struct crowd_plan *plan) {
    struct samples direct_us = {0}, direct_p50 = {0}, daemon_p50 = {0}, more = {0};
    struct crowd_plan one = *plan;
    one.count = 1;
    struct cycle y;
    struct direct *d = direct_create(s->redis_socket, 1);
    bool ok = open_cycle(&y, &one) && d != NULL;
    y.wants_latency = true;
    for (unsigned i = 0; ok && i < b->rounds; i++) {
        samples_reset(&direct_us);
        samples_reset(&y.acquire_us);
        ok = direct_one_by_one(d, b->calls, &direct_us) && one_by_one(&y, b->calls);
        double direct = median(&direct_us), daemon = median(&y.acquire_us);
        samples_add(&direct_p50, direct);
        samples_add(&daemon_p50, daemon);
        samples_add(&more, daemon - direct);
    }
    if (ok) {
        report_row("p50 of an acquire at low load − of the same FCALL", "≤ 200 µs, beyond ≤ 100 µs",
                   "%.0f µs (%.0f − %.0f)", median(&more), median(&daemon_p50),
                   median(&direct_p50));
    }
    close_cycle(&y);
    direct_destroy(&d);
    samples_fini(&direct_us);
    samples_fini(&direct_p50);
    samples_fini(&daemon_p50);
    samples_fini(&more);
    return ok;
}

bool run_cycle(const struct bench *b) {
    struct stack s;
    if (!stack_start(&s, b, false)) {
        return false;
    }
    const struct crowd_plan plan = {.count = b->in_flight,
                                    .per_room = 1,
                                    .presence = "none",
                                    .alg = KEYS_HS256,
                                    .keys = &s.keys,
                                    .port = s.daemons[0].port};
    bool ok = low_load(b, &s, &plan) && in_flight(b, &s, &plan);
    stack_stop(&s);
    return ok;
}
