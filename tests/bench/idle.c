/* Sessions that are in and say nothing: memory each, CPU for their pings. */
#include <stdio.h>

#include "bench.h"
#include "crowd.h"
#include "process.h"
#include "report.h"
#include "stack.h"

#define ENTER_MS 300000
#define SETTLE_MS 2000
#define WARM 50 /* sessions that come first, so that what is made once is not counted */

static void on_message(void *ctx, struct crowd *c, unsigned index, const struct crowd_message *m) {
    (void)ctx;
    (void)c;
    (void)index;
    (void)m;
}

static void report(const struct bench *b, const char *kind, bool tls, uint64_t bytes,
                   uint64_t cpu_ns, unsigned watched_ms) {
    char what[112];
    snprintf(what, sizeof what, "memory a joined, idle session, %u of them, %s", b->connections,
             kind);
    report_row(what, tls ? "≤ 22 KiB, beyond ≤ 19 KiB" : "≤ 6 KiB, beyond ≤ 4 KiB", "%.2f KiB",
               (double)bytes / 1024 / (double)(b->connections - WARM));
    snprintf(what, sizeof what, "CPU of %u idle sessions with pings, %s", b->connections, kind);
    report_row(what, "≤ 5 %, beyond ≤ 2 %", "%.2f %% of a core, over %.0f s",
               (double)cpu_ns / 1e4 / watched_ms, watched_ms / 1000.0);
}

static bool watch(const struct bench *b, unsigned per_room, bool tls, const char *kind) {
    struct stack s;
    if (!stack_start(&s, b, tls)) {
        return false;
    }
    const struct crowd_plan plan = {.count = b->connections,
                                    .per_room = per_room,
                                    .presence = "diff",
                                    .alg = KEYS_HS256,
                                    .keys = &s.keys,
                                    .tls = tls,
                                    .port = s.daemons[0].port};
    struct crowd *c = crowd_create(&plan, on_message, NULL);
    bool ok = crowd_enter(c, 0, WARM, 16, ENTER_MS) && crowd_run(c, SETTLE_MS / 10, NULL, NULL);
    uint64_t before = process_rss_bytes(s.daemons[0].pid);
    ok = ok && crowd_enter(c, WARM, plan.count, 64, ENTER_MS) &&
         crowd_run(c, b->idle_ms < SETTLE_MS ? b->idle_ms : SETTLE_MS, NULL, NULL);
    uint64_t after = process_rss_bytes(s.daemons[0].pid), cpu = process_cpu_ns(s.daemons[0].pid);
    ok = ok && crowd_run(c, b->idle_ms, NULL, NULL);
    if (ok) {
        report(b, kind, tls, after > before ? after - before : 0,
               process_cpu_ns(s.daemons[0].pid) - cpu, b->idle_ms);
    }
    crowd_destroy(&c);
    stack_stop(&s);
    return ok;
}

bool run_idle(const struct bench *b) {
    return watch(b, 10, false, "ten in a room") && watch(b, 1, false, "each in a room of its own");
}

bool run_idle_tls(const struct bench *b) {
    return watch(b, 10, true, "TLS 1.3, ten in a room");
}
