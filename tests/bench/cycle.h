/* Acquire and release with many in flight: a round of it on whatever speaks the protocol. */
#ifndef WSLOCK_BENCH_CYCLE_H
#define WSLOCK_BENCH_CYCLE_H

#include "crowd.h"
#include <sys/types.h>

struct cycle_cost {
    double us, redis_us; /* CPU an operation, of the server and of Redis */
    double per_second;
};

/* Brings a crowd in, measures, and lets it go. redis may be 0. */
bool cycle_round(const struct crowd_plan *plan, unsigned run_ms, pid_t server, pid_t redis,
                 struct cycle_cost *cost) MUST_CHECK;

#define CYCLE_WARM_UP_MS 300

/* For a process of its own: brings a crowd in, writes 0 to `answers` as a uint64_t, waits for a
 * byte from `orders`, runs, and writes the number of operations after the warm-up. */
bool cycle_drive(const struct crowd_plan *plan, unsigned run_ms, int orders,
                 int answers) MUST_CHECK;

#endif
