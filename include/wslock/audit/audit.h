/*
 * The audit log: one JSON line a record, hash-chained, appended by a thread of its own with group
 * commit, so that the loop never waits for the disk. Field names and actions: docs/audit.md.
 *
 * The loop's thread encodes; the writer's thread chains, and gives everything that gathered during
 * the last write (at most 1 MiB) to one write(2) of whole lines on an append-only, locked
 * descriptor, then to one fdatasync(2). A write that ends in the middle of a line is cut back to
 * the last whole line and the rest is written anew, so a file holds whole lines at any time but
 * during a write; what a crash then leaves of a line is cut off at the next start. All functions
 * belong to the loop's thread.
 */
#ifndef WSLOCK_AUDIT_AUDIT_H
#define WSLOCK_AUDIT_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"
#include "wslock/config/config.h"

typedef struct uv_loop_s uv_loop_t;

enum audit_action {
#define AUDIT_ACTION(name) AUDIT_##name,
#include "wslock/audit/actions.def"
#undef AUDIT_ACTION
    AUDIT_ACTION_COUNT
};

struct audit_person {
    struct str id, name; /* id.len == 0: absent */
};

/* One record to be. Everything is borrowed for the call. Empty strings and zeros (where the field
 * says so) are left out of the line. */
struct audit_record {
    enum audit_action action;
    bool failure; /* outcome */
    struct str resource_id;
    struct audit_person user;
    const char *const *roles; /* of the user */
    size_t role_count;
    struct audit_person previous_holder, admin;
    struct str reason;  /* a code (cause) or a person's words, which freeText: omit leaves out */
    int64_t fence, rev; /* 0: absent */
    int64_t held_ms;    /* < 0: absent; how long the lock that ended was held */
    struct str decision;
    struct str answer;  /* of the holder who was asked, where the decision is another */
    int previous_dirty; /* -1 absent, 0 false, 1 true */
    struct str revision, session_id, client_id, token_id, issuer, address, user_agent;
    struct str lock_request_id, ref, detail, event_id;
    bool recovered;
};

struct audit;
struct audit_next;

/* Reports what audit_open would have against the key and the file, but for another process that has
 * the file; false if there is anything. Makes and changes nothing. */
bool audit_check(const struct config *config, config_finding_cb on_problem, void *ctx) MUST_CHECK;
/*
 * Opens (creating it 0640) config->audit.file, takes a lock on it, repairs a torn last line
 * (AUDIT_REPAIRED says what was cut and where it is kept), continues the chain, and writes
 * AUDIT_STARTED. "-", or what is no regular file: a chain from seq 1. NULL with *problem (heap):
 * the file cannot be opened, another process has it, its last lines do not verify, or the key
 * cannot be read. A disk that is merely full is no problem here, but audit_healthy will tell.
 * config is only read during the call. The handles on the loop do not keep it alive.
 */
struct audit *audit_open(uv_loop_t *loop, const struct config *config, const char *instance,
                         char **problem) MUST_CHECK;

/* What a reload is to change. Call it when nothing else can refuse the reload: where the path of
 * next->audit.file leads to another file than the one in force, or to none, it opens, creates and
 * locks that file, in which the chain then goes on. NULL with *problem (heap): this cannot be done,
 * the file is not empty, or the key is another one but the file is not. */
struct audit_next *audit_prepare(const struct audit *a, const struct config *next,
                                 char **problem) MUST_CHECK;
/* Takes over *next. Records from now on are in the other file, behind AUDIT_ROTATED; those before
 * are written to the file in force first. audit_sync tells when both are done. */
void audit_reload(struct audit *a, struct audit_next **next);

/* Appends; returns the record's seq. A `recovered` one is not written again if the last 30 s of
 * the file as it was opened (64 MiB at most), or an earlier recovered one has it (by action,
 * resource and event id). Never blocks. When the queue to the disk is full (bounded, 64 MiB) the
 * record is dropped, counted (wslock_audit_errors_total), 0 is returned, and an AUDIT_GAP says so
 * when half of the queue is free again; until then every record is dropped. Values over 2 KiB are
 * cut and end in `…`; a line has at most 64 KiB. A record of what an administrator did is also
 * reported in the operator's log, once, if an attempt to write fails before it is on disk, or it is
 * dropped.
 */
uint64_t audit_write(struct audit *a, const struct audit_record *r);

/* on_done(ctx, ok) runs on the loop when every record written so far is on disk (fsync: batch) or
 * handed to the kernel (none); exactly once, never from inside this call. Not ok: an attempt to
 * write failed, nothing came of it for 5 s, or records are being dropped; unless dropped, they stay
 * queued and will be written all the same. */
void audit_sync(struct audit *a, void (*on_done)(void *ctx, bool ok), void *ctx);

/* False from a failed write (retried after 0.1 s, then at most each second) until one succeeds
 * again, while the disk does not answer, and while records are dropped. */
bool audit_healthy(const struct audit *a);

/* Sets the metrics that are counted on demand. */
void audit_collect_metrics(struct audit *a);

/* Writes AUDIT_STOPPED, flushes (trying a write that fails again for patience_ms), joins the
 * thread, closes; open audit_syncs complete inside, and must not call back into the log. Blocking;
 * for teardown. The handles are closed: run the loop once more after it, which frees the rest. NULL
 * is fine. False: the disk has not answered for a second more; a thread still waits for it, so
 * that nothing is left to do but _exit. */
bool audit_close(struct audit **a, int patience_ms) MUST_CHECK;

#endif
