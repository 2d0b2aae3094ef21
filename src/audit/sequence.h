/*
 * Whether records stand one behind the other as their `seq` and `prev` say, line by line. It goes
 * on behind a fault, and one fault is told once where the lines allow it: a record that was moved
 * does not make those behind it faults.
 */
#ifndef WSLOCK_AUDIT_SEQUENCE_H
#define WSLOCK_AUDIT_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chain.h"
#include "wslock/base/macros.h"

#define SEQUENCE_GAPS_MAX 64

struct sequence_gap {
    uint64_t from, to; /* both are missing */
};

/* Zeroed at first. */
struct sequence {
    bool begun;
    struct chain_link first;
    struct chain_link head; /* the record with the highest seq */
    bool head_changed;      /* its hash is not that of its bytes */
    struct chain_link last; /* the unchanged record before this line, wherever it belongs */
    uint64_t unknown;       /* lines since head that cannot be placed */
    struct sequence_gap gaps[SEQUENCE_GAPS_MAX]; /* the newest */
    size_t gap_count;
};

/* A line that is no record, or none that can be placed. */
void sequence_skip(struct sequence *s);
/* The next record. unchanged: it verified. rotation: it is AUDIT_ROTATED. What is wrong with its
 * place (heap), or NULL. */
char *sequence_add(struct sequence *s, const struct chain_link *link, bool unchanged,
                   bool rotation) MUST_CHECK;

#endif
