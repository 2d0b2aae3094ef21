/*
 * Reconnect storm: every session, one of each ten with a lock, loses its connection at the same
 * moment, and all come back at once: connect, upgrade, sign in with ES256, join, resume the lock.
 */
#include <stdio.h>

#include "bench.h"
#include "crowd.h"
#include "process.h"
#include "report.h"
#include "stack.h"

#define ENTER_MS 120000
#define PER_ROOM 10

static void on_message(void *ctx, struct crowd *c, unsigned index, const struct crowd_message *m) {
    (void)ctx;
    (void)c;
    (void)index;
    (void)m;
}

struct storm {
    double seconds, cpu_us, redis_us; /* CPU: a session */
    unsigned repeated, degraded;
};

static bool measure(const struct bench *b, bool throttled, struct storm *out) {
    struct stack s;
    if (!stack_start(&s, b, false)) {
        return false;
    }
    const struct crowd_plan plan = {.count = b->storm,
                                    .per_room = PER_ROOM,
                                    .editors = true,
                                    .presence = "diff",
                                    .alg = KEYS_ES256,
                                    .keys = &s.keys,
                                    .port = s.daemons[0].port};
    struct crowd *c = crowd_create(&plan, on_message, NULL);
    bool ok = crowd_make_tokens(c) && crowd_enter(c, 0, plan.count, 64, ENTER_MS);
    pid_t throttle = ok && throttled ? process_throttle(s.daemons[0].pid) : 0;
    uint64_t cpu = process_cpu_ns(s.daemons[0].pid), redis = process_cpu_ns(s.redis),
             begin = monotonic_ns();
    if (ok) {
        crowd_drop(c);
        ok = throttle >= 0 && crowd_enter(c, 0, plan.count, plan.count, ENTER_MS);
    }
    *out = (struct storm){
        .seconds = (double)(monotonic_ns() - begin) / 1e9,
        .cpu_us = (double)(process_cpu_ns(s.daemons[0].pid) - cpu) / 1000 / b->storm,
        .redis_us = (double)(process_cpu_ns(s.redis) - redis) / 1000 / b->storm,
        .repeated = crowd_retries(c),
        .degraded = crowd_degraded(c),
    };
    process_unthrottle(&throttle, s.daemons[0].pid);
    crowd_destroy(&c);
    stack_stop(&s);
    return ok;
}

bool run_storm(const struct bench *b) {
    struct storm full, third;
    if (!measure(b, false, &full) || !measure(b, true, &third)) {
        return false;
    }
    char what[112];
    snprintf(what, sizeof what, "%u sessions reconnect, sign in (ES256) and rejoin at once",
             b->storm);
    report_row(what, "≤ 5 s, beyond ≤ 3 s (10,000)",
               "%.1f s, %u joins repeated, %u told degraded; CPU a session: wslockd %.0f µs, "
               "Redis %.0f µs",
               full.seconds, full.repeated, full.degraded, full.cpu_us, full.redis_us);
    report_row("the same, wslockd with a third of its time",
               "joins repeated ≤ 1 %, told degraded 0, ÷ ≤ 4; beyond 0, 0, ≤ 3",
               "%.1f s, ÷ %.1f; %u joins repeated, %u told degraded; CPU a session: wslockd "
               "%.0f µs",
               third.seconds, third.seconds / full.seconds, third.repeated, third.degraded,
               third.cpu_us);
    return true;
}
