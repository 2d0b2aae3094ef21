/* Fan-out: a round of it on whatever speaks the protocol. */
#ifndef WSLOCK_BENCH_FANOUT_H
#define WSLOCK_BENCH_FANOUT_H

#include "crowd.h"
#include <sys/types.h>

struct fanout_cost {
    double us; /* CPU of the server a delivery */
    double per_second, bytes;
};

/* Brings everyone of one room in, measures, and lets them go: two such crowds at once may be too
 * many descriptors. */
bool fanout_round(const struct crowd_plan *plan, unsigned run_ms, pid_t server,
                  struct fanout_cost *cost) MUST_CHECK;

#endif
