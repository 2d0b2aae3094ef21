/* `wslockctl show`: one lock, with waiters, members and last endings. */
#include <inttypes.h>
#include <stdio.h>

#include "wslock/base/jsonr.h"

#include "lock_text.h"
#include "table.h"
#include "text.h"

#define LABEL_COLUMNS 16

/* ---- the lock ---- */

static void print_entry(const char *label, struct buf *value) {
    if (value->len > 0) {
        printf("  %-*s%.*s\n", LABEL_COLUMNS, label, (int)value->len, value->data);
    }
    buf_reset(value);
}

static void print_time(const char *label, const json_t *lock, const char *key, int64_t now_ms) {
    struct buf text;

    buf_init(&text);
    if (ctl_number(lock, key) > 0) {
        ctl_append_time(&text, ctl_number(lock, key), now_ms);
    }
    print_entry(label, &text);
    buf_fini(&text);
}

static void print_text(const char *label, const json_t *object, const char *key) {
    struct buf text;

    buf_init(&text);
    ctl_append_printable(&text, jsonr_str(json_object_get(object, key)));
    print_entry(label, &text);
    buf_fini(&text);
}

static void print_owner(const json_t *lock) {
    const json_t *holder = json_object_get(lock, "holder");
    struct buf text;

    buf_init(&text);
    ctl_append_user(&text, ctl_lock_owner(lock));
    print_entry(holder != NULL ? "holder" : "reserved for", &text);
    if (holder != NULL) {
        buf_append_i64(&text, ctl_number(holder, "token"));
        print_entry("token", &text);
        print_text("tab", holder, "clientId");
    }
    buf_fini(&text);
}

static void print_takeover(const json_t *takeover, int64_t now_ms) {
    struct buf text;

    if (!json_is_object(takeover)) {
        return;
    }
    buf_init(&text);
    ctl_append_person(&text, jsonr_str(json_object_get(takeover, "adminName")),
                      jsonr_str(json_object_get(takeover, "adminId")));
    if (ctl_number(takeover, "until") > 0) {
        buf_append_str(&text, ", at ");
        ctl_append_time(&text, ctl_number(takeover, "until"), now_ms);
    }
    if (jsonr_str(json_object_get(takeover, "reason")).len > 0) {
        buf_append_str(&text, ": ");
        ctl_append_printable(&text, jsonr_str(json_object_get(takeover, "reason")));
    }
    print_entry("takeover by", &text);
    buf_fini(&text);
}

static void print_lock(const json_t *lock, int64_t now_ms) {
    const json_t *state = json_object_get(lock, "state");
    const enum ctl_style style = ctl_lock_style(state);
    struct buf text;

    buf_init(&text);
    ctl_append_printable(&text, jsonr_str(json_object_get(lock, "resourceId")));
    printf("%s%s%s", ctl_style_begin(CTL_BOLD), buf_cstr(&text), ctl_style_end(CTL_BOLD));
    buf_reset(&text);
    ctl_append_printable(&text, jsonr_str(state));
    printf("  %s%s%s\n", ctl_style_begin(style), buf_cstr(&text), ctl_style_end(style));
    buf_reset(&text);
    print_owner(lock);
    print_text("page", lock, "page");
    print_time("since", lock, "since", now_ms);
    print_time("last heartbeat", lock, "lastHeartbeatAt", now_ms);
    print_time("expires", lock, "expiresAt", now_ms);
    print_time("idle release", lock, "idleReleaseAt", now_ms);
    print_time("grace until", lock, "graceUntil", now_ms);
    print_time("reserved until", lock, "reservedUntil", now_ms);
    ctl_append_lock_notes(&text, lock);
    print_entry("note", &text);
    print_takeover(json_object_get(lock, "takeover"), now_ms);
    buf_fini(&text);
}

/* ---- the tables ---- */

typedef void (*add_row_cb)(struct ctl_table *table, const json_t *element, int64_t now_ms);

static void add_text(struct ctl_table *t, const json_t *value) {
    ctl_append_printable(ctl_table_begin_cell(t), jsonr_str(value));
    ctl_table_end_cell(t, CTL_PLAIN);
}

static void add_user(struct ctl_table *t, const json_t *user) {
    ctl_append_user(ctl_table_begin_cell(t), user);
    ctl_table_end_cell(t, CTL_PLAIN);
}

static void add_time(struct ctl_table *t, int64_t ms, int64_t now_ms) {
    if (ms > 0) {
        ctl_append_time(ctl_table_begin_cell(t), ms, now_ms);
    }
    ctl_table_end_cell(t, CTL_PLAIN);
}

/* Position 0: it is this user's turn. */
static void add_waiter(struct ctl_table *t, const json_t *waiter, int64_t now_ms) {
    const int64_t position = ctl_number(waiter, "position");

    if (position > 0) {
        buf_append_i64(ctl_table_begin_cell(t), position);
    } else {
        buf_append_str(ctl_table_begin_cell(t), "turn");
    }
    ctl_table_end_cell(t, CTL_PLAIN);
    add_user(t, waiter);
    add_text(t, json_object_get(waiter, "kind"));
    add_time(t, ctl_number(waiter, "since"), now_ms);
    add_time(t, ctl_number(waiter, "until"), now_ms);
}

static void add_member(struct ctl_table *t, const json_t *member, int64_t now_ms) {
    const bool away = json_is_false(json_object_get(member, "connected"));

    (void)now_ms;
    add_text(t, json_object_get(member, "sessionId"));
    add_user(t, member);
    add_text(t, json_object_get(member, "mode"));
    buf_append_str(ctl_table_begin_cell(t), away ? "away" : "");
    ctl_table_end_cell(t, CTL_PLAIN);
}

static void add_ending(struct ctl_table *t, const json_t *ending, int64_t now_ms) {
    add_time(t, ctl_number(ending, "endedAt"), now_ms);
    add_user(t, ending);
    add_text(t, json_object_get(ending, "reason"));
    add_text(t, json_object_get(ending, "by"));
    buf_append_i64(ctl_table_begin_cell(t), ctl_number(ending, "token"));
    ctl_table_end_cell(t, CTL_PLAIN);
}

static void print_elements(const char *heading, const json_t *elements, const char *const *titles,
                           add_row_cb add_row, int64_t now_ms) {
    struct ctl_table table;

    if (json_array_size(elements) == 0) {
        return;
    }
    printf("%s\n", heading);
    ctl_table_init(&table, titles);
    for (size_t i = 0; i < json_array_size(elements); i++) {
        add_row(&table, json_array_get(elements, i), now_ms);
    }
    ctl_table_print(&table, 2);
    ctl_table_fini(&table);
}

static void print_all(const json_t *lock, int64_t now_ms) {
    static const char *const WAITERS[] = {"", "USER", "KIND", "SINCE", "UNTIL", NULL};
    static const char *const MEMBERS[] = {"SESSION", "USER", "MODE", "", NULL};
    static const char *const ENDINGS[] = {"ENDED", "USER", "REASON", "BY", "TOKEN", NULL};
    const json_t *members = json_object_get(lock, "members");
    const int64_t count = ctl_number(lock, "memberCount");

    print_lock(lock, now_ms);
    print_elements("waiters", json_object_get(lock, "waiters"), WAITERS, add_waiter, now_ms);
    print_elements("members", members, MEMBERS, add_member, now_ms);
    if (count > (int64_t)json_array_size(members)) {
        printf("  %" PRId64 " in all\n", count);
    }
    print_elements("last endings", json_object_get(lock, "endings"), ENDINGS, add_ending, now_ms);
}

enum ctl_exit ctl_show(const struct ctl_options *options) {
    struct ctl_answer answer;
    enum ctl_exit result = ctl_ask_lock(options, &answer);

    if (result == CTL_OK && !options->json) {
        print_all(answer.json, ctl_answer_now(&answer));
    }
    ctl_answer_fini(&answer);
    return result;
}
