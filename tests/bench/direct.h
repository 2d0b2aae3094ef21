/*
 * Direct: the daemon's scripts, with the daemon's arguments, called by nothing but hiredis: what
 * the way through the daemon is measured against. Under a prefix of its own in the same Redis.
 */
#ifndef WSLOCK_BENCH_DIRECT_H
#define WSLOCK_BENCH_DIRECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "report.h"

struct direct;

/* Connects and joins `count` rooms. NULL on failure, which was told. */
struct direct *direct_create(const char *redis_socket, unsigned count);
void direct_destroy(struct direct **d);

/* Acquires and releases one lock `calls` times, one call after the other; adds how long each
 * acquire took, in µs. */
bool direct_one_by_one(struct direct *d, unsigned calls, struct samples *us) MUST_CHECK;

struct direct_result {
    uint64_t calls;
    uint64_t cpu_ns;   /* of the caller */
    uint64_t redis_ns; /* of Redis */
};
/* Acquires and releases all locks over and over, one call of each room in flight, in a process of
 * its own. */
bool direct_in_flight(const char *redis_socket, unsigned count, unsigned run_ms, pid_t redis,
                      struct direct_result *result) MUST_CHECK;

#endif
