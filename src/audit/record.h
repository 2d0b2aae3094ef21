/* From an audit_record to the first part of its line: everything but `prev` and `hash`. */
#ifndef WSLOCK_AUDIT_RECORD_H
#define WSLOCK_AUDIT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/audit/audit.h"
#include "wslock/audit/lines.h"
#include "wslock/base/buf.h"

#define RECORD_LINE_MAX AUDIT_LINE_MAX_BYTES
#define RECORD_VERSION 1
/* "2025-11-24T04:36:00.123456Z" */
#define RECORD_TIME_LEN 27

struct record_stamp {
    int64_t wall_us; /* Unix time in microseconds */
    uint64_t seq;
    struct str instance;
};

/* UTC, RFC 3339 with microseconds, and a NUL. */
void record_format_time(int64_t wall_us, char out[RECORD_TIME_LEN + 1]);

/*
 * Appends `{"time":…` up to and with `"seq":N`, without the closing brace: chain_finish_line adds
 * the rest. Values too long for a line of RECORD_LINE_MAX bytes are cut at a code point and end in
 * `…`.
 */
void record_encode(struct buf *out, const struct audit_record *r, const struct record_stamp *stamp);

#endif
