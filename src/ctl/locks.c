/* `wslockctl locks` and `wslockctl sessions`. */
#include "wslock/base/jsonr.h"

#include "list.h"
#include "lock_text.h"
#include "text.h"

static void add_text(struct ctl_table *t, const json_t *value) {
    ctl_append_printable(ctl_table_begin_cell(t), jsonr_str(value));
    ctl_table_end_cell(t, CTL_PLAIN);
}

static void add_relative(struct ctl_table *t, int64_t ms, int64_t now_ms) {
    if (ms > 0) {
        ctl_append_relative(ctl_table_begin_cell(t), ms, now_ms);
    }
    ctl_table_end_cell(t, CTL_PLAIN);
}

static void add_time(struct ctl_table *t, int64_t ms, int64_t now_ms) {
    if (ms > 0) {
        ctl_append_time(ctl_table_begin_cell(t), ms, now_ms);
    }
    ctl_table_end_cell(t, CTL_PLAIN);
}

static void add_number(struct ctl_table *t, int64_t number) {
    buf_append_i64(ctl_table_begin_cell(t), number);
    ctl_table_end_cell(t, CTL_PLAIN);
}

/* ---- locks ---- */

static void add_lock(struct ctl_table *t, const json_t *lock, int64_t now_ms) {
    const json_t *state = json_object_get(lock, "state");

    add_text(t, json_object_get(lock, "resourceId"));
    ctl_append_printable(ctl_table_begin_cell(t), jsonr_str(state));
    ctl_table_end_cell(t, ctl_lock_style(state));
    ctl_append_user(ctl_table_begin_cell(t), ctl_lock_owner(lock));
    ctl_table_end_cell(t, CTL_PLAIN);
    add_relative(t, ctl_number(lock, "since"), now_ms);
    add_time(t, ctl_lock_due(lock), now_ms);
    add_number(t, ctl_number(lock, "queueLength"));
    ctl_append_lock_notes(ctl_table_begin_cell(t), lock);
    ctl_table_end_cell(t, CTL_PLAIN);
}

enum ctl_exit ctl_locks(const struct ctl_options *options) {
    static const char *const TITLES[] = {"RESOURCE", "STATE",   "USER", "SINCE",
                                         "DUE",      "WAITERS", "NOTE", NULL};
    static const struct ctl_list LIST = {"/v1/locks", "locks", "lock", TITLES, add_lock};

    return ctl_list(options, &LIST);
}

/* ---- sessions ---- */

static void add_session(struct ctl_table *t, const json_t *session, int64_t now_ms) {
    add_text(t, json_object_get(session, "sessionId"));
    ctl_append_user(ctl_table_begin_cell(t), session);
    ctl_table_end_cell(t, CTL_PLAIN);
    add_text(t, json_object_get(session, "address"));
    add_relative(t, ctl_number(session, "connectedAt"), now_ms);
    add_time(t, ctl_number(session, "tokenExpiresAt"), now_ms);
    add_number(t, ctl_number(session, "rooms"));
    add_number(t, ctl_number(session, "locks"));
    add_text(t, json_object_get(session, "userAgent"));
}

enum ctl_exit ctl_sessions(const struct ctl_options *options) {
    static const char *const TITLES[] = {"SESSION", "USER",  "ADDRESS", "CONNECTED", "TOKEN ENDS",
                                         "ROOMS",   "LOCKS", "PROGRAM", NULL};
    static const struct ctl_list LIST = {"/v1/sessions", "sessions", "session", TITLES,
                                         add_session};

    return ctl_list(options, &LIST);
}
