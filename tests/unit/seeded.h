/*
 * Repeatable randomness for tests: seeded_start prints the seed, and WSLOCK_TEST_SEED=<seed> in the
 * environment runs the same again. Includes cmocka with what it wants included before.
 */
#ifndef TESTS_UNIT_SEEDED_H
#define TESTS_UNIT_SEEDED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wslock/base/rand.h"

struct seeded {
    uint64_t state;
};

static inline struct seeded seeded_start(const char *what) {
    const char *given = getenv("WSLOCK_TEST_SEED");
    struct seeded s = {given != NULL ? strtoull(given, NULL, 10) : rand_u64()};
    printf("%s: WSLOCK_TEST_SEED=%llu\n", what, (unsigned long long)s.state);
    return s;
}

/* SplitMix64 */
static inline uint64_t seeded_next(struct seeded *s) {
    uint64_t z = s->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint64_t seeded_below(struct seeded *s, uint64_t bound) {
    return seeded_next(s) % bound;
}

#endif
