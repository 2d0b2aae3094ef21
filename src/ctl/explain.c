/*
 * `wslockctl explain`: why a user can or cannot edit, in sentences. Each deadline and each refusal
 * names the setting that it follows from, and where that stands.
 */
#include <inttypes.h>
#include <stdio.h>

#include "wslock/base/jsonr.h"

#include "lock_text.h"
#include "table.h"
#include "text.h"

struct explanation {
    const struct ctl_options *options;
    const json_t *lock, *policy;
    int64_t now_ms;
    struct buf line; /* the sentence */
};

/* ---- parts of a sentence ---- */

static void say(struct explanation *e, const char *text) {
    buf_append_str(&e->line, text);
}

static void say_time(struct explanation *e, int64_t ms) {
    ctl_append_time(&e->line, ms, e->now_ms);
}

static void end_line(struct explanation *e) {
    buf_cstr(&e->line);
    ctl_print_wrapped((struct str){e->line.data, e->line.len});
    buf_reset(&e->line);
}

static void append_value(struct buf *out, const json_t *value) {
    if (json_is_string(value)) {
        ctl_append_printable(out, jsonr_str(value));
    } else if (json_is_integer(value)) {
        buf_append_i64(out, json_integer_value(value));
    } else if (json_is_boolean(value)) {
        buf_append_str(out, json_is_true(value) ? "true" : "false");
    } else if (json_is_array(value)) {
        buf_append_char(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            buf_append_str(out, i > 0 ? ", " : "");
            ctl_append_printable(out, jsonr_str(json_array_get(value, i)));
        }
        buf_append_char(out, ']');
    } else {
        buf_append_str(out, "null");
    }
}

/* `default.lockTtl, wslockd.yaml:12` */
static void append_origin(const struct explanation *e, struct buf *out, const json_t *setting) {
    const int64_t line = ctl_number(setting, "line");
    struct str file = jsonr_str(json_object_get(setting, "file"));

    if (file.len == 0) {
        file = str_of(e->options->config_file);
    }
    ctl_append_printable(out, jsonr_str(json_object_get(setting, "from")));
    if (line > 0 && file.len > 0) {
        buf_append_str(out, ", ");
        ctl_append_printable(out, file);
        buf_printf(out, ":%" PRId64, line);
    } else if (line > 0) {
        buf_printf(out, ", line %" PRId64 " of the configuration", line);
    }
}

/* ` (lockTtl 5m: default.lockTtl, wslockd.yaml:12)` */
static void say_rule(struct explanation *e, const char *name) {
    const json_t *setting = json_object_get(e->policy, name);

    if (json_is_object(setting)) {
        buf_printf(&e->line, " (%s ", name);
        append_value(&e->line, json_object_get(setting, "value"));
        say(e, ": ");
        append_origin(e, &e->line, setting);
        say(e, ")");
    }
}

static bool policy_is(const struct explanation *e, const char *name, const char *value) {
    return jsonr_is(json_object_get(json_object_get(e->policy, name), "value"), value);
}

/* ---- the lock ---- */

static void explain_takeover(struct explanation *e) {
    const json_t *takeover = json_object_get(e->lock, "takeover");
    const struct str reason = jsonr_str(json_object_get(takeover, "reason"));

    if (!json_is_object(takeover)) {
        return;
    }
    say(e, "The administrator ");
    ctl_append_person(&e->line, jsonr_str(json_object_get(takeover, "adminName")),
                      jsonr_str(json_object_get(takeover, "adminId")));
    say(e, " takes it over at ");
    say_time(e, ctl_number(takeover, "until"));
    say(e, ", or earlier if the holder agrees");
    say_rule(e, "takeoverTimeout");
    if (reason.len > 0) {
        say(e, ": ");
        ctl_append_printable(&e->line, reason);
    }
    say(e, ".");
    end_line(e);
}

static bool is_overdue(const struct explanation *e, int64_t heartbeat_ms) {
    const json_t *setting = json_object_get(e->policy, "heartbeatInterval");
    const char *interval = json_string_value(json_object_get(setting, "value"));
    int64_t interval_ms;

    return interval != NULL && ctl_parse_ttl(interval, &interval_ms) &&
           heartbeat_ms + interval_ms < e->now_ms;
}

static void explain_held(struct explanation *e) {
    const int64_t heartbeat_ms = ctl_number(e->lock, "lastHeartbeatAt");
    const int64_t idle_ms = ctl_number(e->lock, "idleReleaseAt");

    say(e, "The holder's connection is alive");
    if (heartbeat_ms > 0) {
        say(e, "; the last heartbeat came at ");
        say_time(e, heartbeat_ms);
        say(e, is_overdue(e, heartbeat_ms) ? ", the next is overdue" : "");
    }
    say_rule(e, "heartbeatInterval");
    say(e, ".");
    end_line(e);
    say(e, "Without another heartbeat it expires at ");
    say_time(e, ctl_number(e->lock, "expiresAt"));
    say_rule(e, "lockTtl");
    say(e, ".");
    end_line(e);
    if (idle_ms > 0) {
        say(e, "Unless the user does something it is released at ");
        say_time(e, idle_ms);
        say_rule(e, "idleRelease");
        say(e, ".");
        end_line(e);
    }
    explain_takeover(e);
}

static void explain_grace(struct explanation *e) {
    say(e, "The holder's connection has ended; the same tab may come back for it until ");
    say_time(e, ctl_number(e->lock, "graceUntil"));
    say_rule(e, "gracePeriod");
    say(e, ".");
    end_line(e);
    say(e, json_is_true(json_object_get(e->lock, "claimable"))
               ? "Meanwhile another user in the room may claim it"
               : "Until then nobody else gets it");
    say_rule(e, "disconnect");
    say(e, ".");
    end_line(e);
}

static void explain_owner(struct explanation *e) {
    ctl_append_user(&e->line, ctl_lock_owner(e->lock));
    say(e, " has had it since ");
    say_time(e, ctl_number(e->lock, "since"));
    buf_printf(&e->line, ", with token %" PRId64 "%s.",
               ctl_number(json_object_get(e->lock, "holder"), "token"),
               json_is_true(json_object_get(e->lock, "dirty")) ? " and unsaved changes" : "");
    end_line(e);
}

static void explain_state(struct explanation *e) {
    const json_t *state = json_object_get(e->lock, "state");

    ctl_append_printable(&e->line, jsonr_str(json_object_get(e->lock, "resourceId")));
    say(e, jsonr_is(state, "grace") ? " is in " : " is ");
    ctl_append_printable(&e->line, jsonr_str(state));
    say(e, ".");
    end_line(e);
    if (json_is_object(json_object_get(e->lock, "holder"))) {
        explain_owner(e);
    }
    if (jsonr_is(state, "held")) {
        explain_held(e);
    } else if (jsonr_is(state, "grace")) {
        explain_grace(e);
    } else if (jsonr_is(state, "reserved")) {
        say(e, "Only ");
        ctl_append_user(&e->line, ctl_lock_owner(e->lock));
        say(e, " can claim it, until ");
        say_time(e, ctl_number(e->lock, "reservedUntil"));
        say_rule(e, "claimWindow");
        say(e, "; then it goes to the next.");
        end_line(e);
    } else {
        say(e, "Nobody has it, and any editor may acquire it");
        say_rule(e, "editorRoles");
        say(e, ".");
        end_line(e);
    }
}

/* ---- the others ---- */

static void explain_waiter(struct explanation *e, const json_t *waiter) {
    const int64_t since_ms = ctl_number(waiter, "since"), until_ms = ctl_number(waiter, "until");

    buf_printf(&e->line, "  %" PRId64 ". ", ctl_number(waiter, "position"));
    ctl_append_user(&e->line, waiter);
    if (jsonr_is(json_object_get(waiter, "kind"), "request")) {
        say(e, ", has asked the holder");
    }
    if (since_ms > 0) {
        say(e, ", since ");
        say_time(e, since_ms);
    }
    if (until_ms > 0) {
        say(e, ", until ");
        say_time(e, until_ms);
    }
    end_line(e);
}

static bool waits(const json_t *waiter) {
    return ctl_number(waiter, "position") > 0;
}

/* Position 0 is the user whose turn it is: explain_state has told of it. */
static void explain_waiters(struct explanation *e) {
    const json_t *waiters = json_object_get(e->lock, "waiters");
    int64_t count = 0;

    for (size_t i = 0; i < json_array_size(waiters); i++) {
        count += waits(json_array_get(waiters, i));
    }
    if (count == 0) {
        say(e, "Nobody waits for it.");
        end_line(e);
        return;
    }
    ctl_append_count(&e->line, count, "user");
    say(e, count == 1 ? " waits for it:" : " wait for it:");
    end_line(e);
    for (size_t i = 0; i < json_array_size(waiters); i++) {
        if (waits(json_array_get(waiters, i))) {
            explain_waiter(e, json_array_get(waiters, i));
        }
    }
}

/* What others get while somebody has the lock. */
static void explain_rules(struct explanation *e) {
    if (policy_is(e, "upgrade", "queue")) {
        say(e, "Another user who wants it gets a place in the queue");
    } else if (policy_is(e, "upgrade", "request")) {
        say(e, "Another user who wants it asks the holder");
    } else {
        say(e, "Another user who wants it is refused");
    }
    say_rule(e, "upgrade");
    say(e, ".");
    end_line(e);
    if (policy_is(e, "takeover", "never")) {
        say(e, "No administrator can take it over");
    } else if (policy_is(e, "takeover", "immediate")) {
        say(e, "An administrator can take it over at once");
    } else {
        say(e, "An administrator can take it over after the holder was asked");
    }
    say_rule(e, "takeover");
    say(e, ".");
    end_line(e);
}

static void explain_endings(struct explanation *e) {
    const json_t *endings = json_object_get(e->lock, "endings");

    if (json_array_size(endings) > 0) {
        say(e, "How it ended before:");
        end_line(e);
    }
    for (size_t i = 0; i < json_array_size(endings); i++) {
        const json_t *ending = json_array_get(endings, i),
                     *reason = json_object_get(ending, "reason");
        const struct str by = jsonr_str(json_object_get(ending, "by"));
        const char *text = ctl_ending_text(reason);

        say(e, "  ");
        say_time(e, ctl_number(ending, "endedAt"));
        say(e, ": ");
        ctl_append_user(&e->line, ending);
        say(e, ", ");
        ctl_append_printable(&e->line, jsonr_str(reason));
        if (text != NULL) {
            buf_printf(&e->line, ": %s", text);
        }
        if (by.len > 0) {
            say(e, "; by ");
            ctl_append_printable(&e->line, by);
        }
        end_line(e);
    }
}

/* The setting that decides on an outcome of an acquire. */
static const char *deciding_rule(const json_t *outcome) {
    static const struct {
        const char *outcome, *rule;
    } RULES[] = {
        {"QUEUED", "upgrade"},        {"HELD", "upgrade"},
        {"GRACE", "disconnect"},      {"RESERVED", "claimWindow"},
        {"QUEUE_FULL", "maxWaiters"}, {"TAB_LIMIT", "maxConcurrentTabLocksPerUser"},
    };

    for (size_t i = 0; i < ARRAY_LEN(RULES); i++) {
        if (jsonr_is(outcome, RULES[i].outcome)) {
            return RULES[i].rule;
        }
    }
    return NULL;
}

static void explain_acquire(struct explanation *e) {
    const json_t *acquire = json_object_get(e->lock, "acquire");
    const json_t *outcome = json_object_get(acquire, "outcome");
    const char *rule = deciding_rule(outcome);

    if (!json_is_object(acquire) || e->options->user == NULL) {
        return;
    }
    say(e, "An acquire by ");
    ctl_append_printable(&e->line, str_of(e->options->user));
    say(e, " from a new tab would get ");
    ctl_append_printable(&e->line, jsonr_str(outcome));
    say(e, " now: ");
    ctl_append_printable(&e->line, jsonr_str(json_object_get(acquire, "message")));
    if (rule != NULL) {
        say_rule(e, rule);
    }
    say(e, ".");
    end_line(e);
}

static void print_policy(struct explanation *e) {
    static const char *const TITLES[] = {"SETTING", "VALUE", "FROM", NULL};
    struct ctl_table table;
    const char *name;
    json_t *setting;

    ctl_table_init(&table, TITLES);
    json_object_foreach((json_t *)e->policy, name, setting) {
        ctl_append_printable(ctl_table_begin_cell(&table), str_of(name));
        ctl_table_end_cell(&table, CTL_PLAIN);
        append_value(ctl_table_begin_cell(&table), json_object_get(setting, "value"));
        ctl_table_end_cell(&table, CTL_PLAIN);
        append_origin(e, ctl_table_begin_cell(&table), setting);
        ctl_table_end_cell(&table, CTL_PLAIN);
    }
    puts("The rules of its type:");
    ctl_table_print(&table, 2);
    ctl_table_fini(&table);
}

static void print(struct explanation *e) {
    explain_state(e);
    if (!jsonr_is(json_object_get(e->lock, "state"), "free")) {
        explain_rules(e);
    }
    explain_waiters(e);
    explain_acquire(e);
    explain_endings(e);
    if (json_object_size(e->policy) > 0) {
        print_policy(e);
    }
}

enum ctl_exit ctl_explain(const struct ctl_options *options) {
    struct explanation e = {.options = options};
    struct ctl_answer answer;
    enum ctl_exit result = ctl_ask_lock(options, &answer);

    if (result == CTL_OK && !options->json) {
        buf_init(&e.line);
        e.lock = answer.json;
        e.policy = json_object_get(answer.json, "policy");
        e.now_ms = ctl_answer_now(&answer);
        print(&e);
        buf_fini(&e.line);
    }
    ctl_answer_fini(&answer);
    return result;
}
