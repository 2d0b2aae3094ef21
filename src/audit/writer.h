/*
 * The thread that chains and writes records. The loop's thread pushes; whatever has gathered while
 * a write was under way, or within 10 ms of its beginning where nobody waits for a commit, goes out
 * as the next one (group commit).
 */
#ifndef WSLOCK_AUDIT_WRITER_H
#define WSLOCK_AUDIT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "chain.h"
#include "sink.h"
#include "wslock/base/macros.h"
#include "wslock/metrics/metrics.h"

#define WRITER_QUEUE_BYTES ((size_t)64 * 1024 * 1024)

struct writer;

/* What the loop's thread may know. Counts are since the start. */
struct writer_state {
    uint64_t durable_seq; /* every record up to it is committed */
    uint64_t failures;    /* failed attempts */
    int last_error;       /* errno of the last failure */
    bool healthy;         /* false from a failed attempt to the next one that succeeds */
    bool moved;           /* what is written is not where its path leads */
    uint64_t mark_seq;    /* the marked record last committed, and its hash; 0: none */
    char mark_hash[CHAIN_HASH_LEN + 1];
    size_t queued_bytes;
    struct metrics_histogram syncs; /* durations of fdatasync */
};

/* Takes over chain and sink. notify(ctx) is called on the writer's thread when the state changed in
 * a way that the loop must see, and after each commit while it asks for that. NULL with *problem;
 * chain and sink are then still the caller's. */
struct writer *writer_create(struct chain *chain, const struct sink *sink,
                             const struct chain_link *head, void (*notify)(void *ctx), void *ctx,
                             char **problem) MUST_CHECK;

/* Queues one encoded record (record_encode); marked: its hash is to be reported. False: queue full.
 */
bool writer_push(struct writer *w, uint64_t seq, const char *data, size_t len,
                 bool marked) MUST_CHECK;
/* Queues the first record of another file, also if the queue is full. Records before it are
 * committed to the sink in force, which is then closed. Takes over chain and sink. */
void writer_rotate(struct writer *w, uint64_t seq, const char *data, size_t len,
                   struct chain *chain, const struct sink *sink);
/* For records that are not committed yet. */
void writer_set_sync(struct writer *w, bool sync);
/* Wakes the thread if records were pushed since. */
void writer_kick(struct writer *w);
void writer_get_state(struct writer *w, struct writer_state *out);
bool writer_is_healthy(struct writer *w);
/* Whether each commit is to be notified. */
void writer_notify_commits(struct writer *w, bool on);

/* Writes what is queued, trying again after a failure for patience_ms; ends the thread, closes the
 * sink and frees. False: the thread is stuck in a write and keeps everything, also what notify
 * needs; the process must not do more than _exit. */
bool writer_stop(struct writer **w, int patience_ms, struct writer_state *last) MUST_CHECK;

#endif
