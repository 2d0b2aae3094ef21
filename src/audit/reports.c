/* Reports failures, recoveries, moved files and checkpoints. */
#include "reports.h"

#include <string.h>

#include "wslock/metrics/metrics.h"

#define FAILURE_LINES_PER_MINUTE 6
/* How long a rotation may take from the renaming to the reload without being reported. */
#define MOVED_MS 5000

static void look_at_failures(struct reports *r, const struct writer_state *state) {
    if (state->failures > r->failures) {
        metrics_add(METRIC_AUDIT_ERRORS, (double)(state->failures - r->failures), NULL, NULL);
        r->failures = state->failures;
        r->unhealthy = true;
        if (log_limit_pass(&r->failure_lines, FAILURE_LINES_PER_MINUTE)) {
            log_error("audit_write_failed", LF("error", strerror(state->last_error)),
                      LFI("queuedBytes", state->queued_bytes));
        }
    }
    if (state->healthy && r->unhealthy) {
        r->unhealthy = false;
        log_info("audit_write_recovered", LFI("seq", state->durable_seq));
    }
}

/* Renamed or removed: no record is lost yet, but nobody finds them where they should be. */
static uint64_t look_at_moved(struct reports *r, const struct writer_state *state,
                              uint64_t now_ms) {
    if (!state->moved) {
        if (r->moved) {
            log_info("audit_file_back", LFI("seq", state->durable_seq));
        }
        r->moved = false;
        r->moved_from_ms = 0;
        return 0;
    }
    if (r->moved) {
        return 0;
    }
    if (r->moved_from_ms == 0) {
        r->moved_from_ms = now_ms;
    }
    if (now_ms != UINT64_MAX && now_ms - r->moved_from_ms < MOVED_MS) {
        return MOVED_MS - (now_ms - r->moved_from_ms);
    }
    r->moved = true;
    metrics_add(METRIC_AUDIT_ERRORS, 1, NULL, NULL);
    log_error("audit_file_moved", LFI("seq", state->durable_seq),
              LF("effect", "records are still written to the moved or removed file"));
    return 0;
}

/* The chain's head in the operator's log shows later whether the file's end was cut. */
static void look_at_mark(struct reports *r, const struct writer_state *state) {
    if (state->mark_seq > r->mark_seq) {
        r->mark_seq = state->mark_seq;
        const struct log_field fields[] = {LFI("seq", state->mark_seq),
                                           LF("hash", state->mark_hash)};
        log_write(LOG_LEVEL_INFO, "audit_checkpoint", fields,
                  ARRAY_LEN(fields)); /* at any log.level */
    }
}

uint64_t reports_look(struct reports *r, const struct writer_state *state, uint64_t now_ms) {
    look_at_failures(r, state);
    const uint64_t wait_ms = look_at_moved(r, state, now_ms);
    look_at_mark(r, state);
    return wait_ms;
}
