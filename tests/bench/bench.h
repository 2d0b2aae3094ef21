/*
 * The load generator: what every scenario is given, and the scenarios. Each starts what it measures
 * (a Redis and a daemon of its own, see stack.h; the floor, see floor.h), and has stopped it when
 * it returns. Everything is bounded in number and time.
 */
#ifndef WSLOCK_BENCH_H
#define WSLOCK_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/macros.h"

struct bench {
    const char *wslockd;   /* the program */
    unsigned connections;  /* of the scenarios with many */
    unsigned storm;        /* sessions that reconnect */
    unsigned receivers[2]; /* fan-out: two sizes of a room */
    unsigned rounds;       /* of each comparison; the median counts */
    unsigned round_ms;
    unsigned calls;   /* at low load, a round */
    unsigned idle_ms; /* how long idle sessions are watched */
    unsigned in_flight;
    const char *json;  /* where the run's data goes; NULL: nowhere */
    unsigned replicas; /* of Redis */
    bool wait;         /* for all of them: redis.waitReplicas */
    bool keep;         /* the folders with logs and configuration */
};

/* One scenario. False, with a line on standard error, when it could not be carried out. */
bool run_cycle(const struct bench *b) MUST_CHECK;
bool run_fanout(const struct bench *b) MUST_CHECK;
bool run_idle(const struct bench *b) MUST_CHECK;
bool run_idle_tls(const struct bench *b) MUST_CHECK;
bool run_instances(const struct bench *b) MUST_CHECK;
bool run_join(const struct bench *b) MUST_CHECK;
bool run_rate(const struct bench *b) MUST_CHECK;
bool run_peers(const struct bench *b) MUST_CHECK;
bool run_peers_fanout(const struct bench *b) MUST_CHECK;
bool run_storm(const struct bench *b) MUST_CHECK;

#endif
