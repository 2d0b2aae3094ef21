/* What the operator's log and the metrics say of the writer. */
#ifndef WSLOCK_AUDIT_REPORTS_H
#define WSLOCK_AUDIT_REPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "writer.h"
#include "wslock/base/log.h"

/* What has been reported. All zero: nothing. */
struct reports {
    uint64_t failures;
    uint64_t mark_seq;
    uint64_t moved_from_ms; /* when the file was first found to be moved; 0: it is not */
    bool unhealthy, moved;
    struct log_limit failure_lines;
};

/* Reports what is new in state. now_ms: of one clock; UINT64_MAX: this is the last call. Returns
 * after how many milliseconds it must be called again; 0: not before the state changes. */
uint64_t reports_look(struct reports *r, const struct writer_state *state, uint64_t now_ms);

#endif
