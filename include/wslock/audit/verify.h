/* Verifies the chain over one or more files of an audit log; behind `wslockctl audit verify`. */
#ifndef WSLOCK_AUDIT_VERIFY_H
#define WSLOCK_AUDIT_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/macros.h"

/* "2025-11-24T04:36:00.123456Z" */
#define AUDIT_TIME_LEN 27
#define AUDIT_HASH_LEN 64

struct audit_verify_request {
    const char *const *paths; /* plain or gzip, in any order */
    size_t count;
    const char *key_file; /* of a keyed chain, or NULL */
    /* A checkpoint that the chain must have; a cut end is not seen without one. */
    const char *expect_hash; /* or NULL */
    uint64_t expect_seq;
    /* line 0: the file as such. text: one sentence without a full stop. All borrowed. */
    void (*on_finding)(void *ctx, const char *path, uint64_t line, const char *text);
    void *ctx;
};

struct audit_verify_result {
    uint64_t findings;
    uint64_t records; /* lines that have the form of a record */
    uint64_t changed; /* of these, whose hash is not that of their bytes */
    bool unreadable;  /* a file, or the key, could not be read to the end: among the findings */
    char first_time[AUDIT_TIME_LEN + 1], last_time[AUDIT_TIME_LEN + 1]; /* or empty */
    uint64_t last_seq;                                                  /* 0: there is none */
    char last_hash[AUDIT_HASH_LEN + 1];
};

/* Files are put in order by `prev` and `seq`. The first record must be seq 1, or AUDIT_ROTATED,
 * which is the first record of a file that a rotation began. Goes on behind a fault. */
void audit_verify_files(const struct audit_verify_request *request,
                        struct audit_verify_result *result);

#endif
