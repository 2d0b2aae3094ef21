/* Records of administrators' actions until they are on disk. */
#include "admin.h"

#include "wslock/base/buf.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"

struct watched {
    struct list node;
    uint64_t seq;
    uint64_t failures_seen; /* late when the writer has had more */
    struct buf line;
};

bool admin_is_action(enum audit_action action) {
    return action == AUDIT_LOCK_TAKEOVER || action == AUDIT_LOCK_TAKEOVER_REQUESTED ||
           action == AUDIT_LOCK_ADMIN_RELEASED || action == AUDIT_SESSION_TERMINATED;
}

static void encode(struct buf *line, const struct audit_record *r,
                   const struct record_stamp *stamp) {
    buf_init(line);
    record_encode(line, r, stamp);
    buf_append_char(line, '}'); /* the hashes would stand before it */
}

static void tell(const struct buf *line) {
    log_error("admin_action_not_on_disk",
              {.key = "record", .s = {line->data, line->len}, .whole = true});
}

void admin_tell(const struct audit_record *r, const struct record_stamp *stamp) {
    struct buf line;
    encode(&line, r, stamp);
    tell(&line);
    buf_fini(&line);
}

void admin_watch(struct list *watched, const struct audit_record *r,
                 const struct record_stamp *stamp, const struct writer_state *state) {
    struct watched *w = mem_zalloc(sizeof *w);
    w->seq = stamp->seq;
    w->failures_seen = state->failures;
    encode(&w->line, r, stamp);
    list_push_back(watched, &w->node);
}

void admin_look(struct list *watched, const struct writer_state *state, bool all_late) {
    LIST_FOREACH_ENTRY(struct watched, w, node, watched) {
        const bool committed = w->seq <= state->durable_seq;
        if (!committed && !all_late && state->healthy && w->failures_seen == state->failures) {
            continue;
        }
        if (!committed) {
            tell(&w->line);
        }
        list_remove(&w->node);
        buf_fini(&w->line);
        mem_free(w);
    }
}
