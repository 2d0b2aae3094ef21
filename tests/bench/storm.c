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

bool run_storm(const struct bench *b) {
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
                                    .port = s.port};
    struct crowd *c = crowd_create(&plan, on_message, NULL);
    bool ok = crowd_make_tokens(c) && crowd_enter(c, 0, plan.count, 64, ENTER_MS);
    uint64_t cpu = process_cpu_ns(s.daemon), redis = process_cpu_ns(s.redis),
             begin = monotonic_ns();
    if (ok) {
        crowd_drop(c);
        ok = crowd_enter(c, 0, plan.count, plan.count, ENTER_MS);
    }
    char what[112];
    snprintf(what, sizeof what, "%u sessions reconnect, sign in (ES256) and rejoin at once",
             b->storm);
    if (ok) {
        report_row(what, "≤ 15 s, beyond ≤ 6 s (10,000)",
                   "%.1f s, %u joins repeated, %u told degraded; CPU a session: wslockd %.0f µs, "
                   "Redis %.0f µs",
                   (double)(monotonic_ns() - begin) / 1e9, crowd_retries(c), crowd_degraded(c),
                   (double)(process_cpu_ns(s.daemon) - cpu) / 1000 / b->storm,
                   (double)(process_cpu_ns(s.redis) - redis) / 1000 / b->storm);
    }
    crowd_destroy(&c);
    stack_stop(&s);
    return ok;
}
