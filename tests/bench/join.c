/* One room that everyone joins, with presence "diff": what a join costs in a small and in a large
 * room. */
#include <stdio.h>

#include "bench.h"
#include "crowd.h"
#include "process.h"
#include "report.h"
#include "stack.h"

#define ENTER_MS 300000
#define AT_ONCE 64

struct cost { /* of one join */
    double bytes, cpu_us, redis_us;
};

static void on_message(void *ctx, struct crowd *c, unsigned index, const struct crowd_message *m) {
    (void)ctx;
    (void)c;
    (void)index;
    (void)m;
}

static bool measure(const struct bench *b, unsigned count, struct cost *cost) {
    struct stack s;
    if (!stack_start(&s, b, false)) {
        return false;
    }
    const struct crowd_plan plan = {.count = count,
                                    .per_room = count,
                                    .presence = "diff",
                                    .alg = KEYS_HS256,
                                    .keys = &s.keys,
                                    .port = s.daemons[0].port};
    struct crowd *c = crowd_create(&plan, on_message, NULL);
    bool ok = crowd_make_tokens(c);
    uint64_t cpu = process_cpu_ns(s.daemons[0].pid), redis = process_cpu_ns(s.redis);
    ok = ok && crowd_enter(c, 0, count, AT_ONCE, ENTER_MS);
    *cost = (struct cost){
        (double)crowd_received(c) / count,
        (double)(process_cpu_ns(s.daemons[0].pid) - cpu) / 1000 / count,
        (double)(process_cpu_ns(s.redis) - redis) / 1000 / count,
    };
    crowd_destroy(&c);
    stack_stop(&s);
    return ok;
}

static void report(unsigned count, const struct cost *cost) {
    char what[80];
    snprintf(what, sizeof what, "%u join one room with presence diff, each", count);
    report_row(what, "", "%.1f KB sent; CPU: wslockd %.0f µs, Redis %.0f µs", cost->bytes / 1000,
               cost->cpu_us, cost->redis_us);
}

bool run_join(const struct bench *b) {
    struct cost small, large;
    if (!measure(b, b->receivers[0], &small) || !measure(b, b->receivers[1], &large)) {
        return false;
    }
    report(b->receivers[0], &small);
    report(b->receivers[1], &large);
    report_row("a join of the large room ÷ of the small one",
               "bytes ≤ 2, CPU ≤ 1.5; beyond ≤ 1.2, ≤ 1.2", "bytes %.2f, wslockd's CPU %.2f",
               large.bytes / small.bytes, large.cpu_us / small.cpu_us);
    return true;
}
