/* `wslockctl release`, `takeover` and `disconnect`. */
#include <stdio.h>
#include <string.h>

#include "wslock/base/clock.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/mem.h"

#include "change.h"
#include "text.h"

/* ---- sentences ---- */

static void print_line(struct buf *line) {
    buf_append_char(line, '\n');
    fwrite(line->data, 1, line->len, stdout);
    buf_fini(line);
}

/* ` It is free now.` and the like. */
static void append_lock(struct buf *line, const json_t *lock) {
    const int64_t now_ms = clock_wall_ms(), waiters = ctl_number(lock, "queueLength");
    const json_t *state = json_object_get(lock, "state");

    if (jsonr_is(state, "reserved")) {
        buf_append_str(line, " It is reserved for ");
        ctl_append_user(line, json_object_get(lock, "reservedFor"));
        buf_append_str(line, " until ");
        ctl_append_time(line, ctl_number(lock, "reservedUntil"), now_ms);
    } else if (json_object_get(lock, "holder") != NULL) {
        buf_append_str(line, " Now it is held by ");
        ctl_append_user(line, json_object_get(lock, "holder"));
    } else {
        buf_append_str(line, " It is free now");
    }
    if (waiters > 0) {
        buf_append_str(line, "; ");
        ctl_append_count(line, waiters, "waiter");
    }
    buf_append_char(line, '.');
}

/* `document:1:main: released. The holder was Ann (ann).` and its state */
static void print_lock_change(const json_t *answer, const char *done) {
    const json_t *previous = json_object_get(answer, "previousHolder");
    struct buf line;

    buf_init(&line);
    ctl_append_printable(&line, jsonr_str(json_object_get(answer, "resourceId")));
    buf_printf(&line, ": %s.", done);
    if (json_is_object(previous)) {
        buf_append_str(&line, " The holder was ");
        ctl_append_user(&line, previous);
        buf_append_char(&line, '.');
    }
    append_lock(&line, json_object_get(answer, "lock"));
    if (json_is_false(json_object_get(answer, "inRoom"))) {
        buf_append_str(&line, " The user is not in the room yet.");
    }
    print_line(&line);
}

/* ---- locks ---- */

static enum ctl_exit change_lock(const struct ctl_options *options, struct ctl_change *change,
                                 const char *rest, const char *done) {
    char *path = ctl_lock_path(options->words[0], rest);
    struct ctl_answer answer;
    enum ctl_exit result;

    if (path == NULL) {
        return CTL_USAGE;
    }
    change->path = path;
    change->subject = options->words[0];
    change->reason = options->reason;
    result = ctl_change(options, change, &answer);
    if (result == CTL_OK && !options->json) {
        print_lock_change(answer.json, done);
    }
    ctl_answer_fini(&answer);
    mem_free(path);
    return result;
}

enum ctl_exit ctl_release(const struct ctl_options *options) {
    struct ctl_change change = {.method = "DELETE"};

    return change_lock(options, &change, "", "released");
}

enum ctl_exit ctl_takeover(const struct ctl_options *options) {
    struct ctl_change change = {.method = "POST", .user_id = options->user};

    return change_lock(options, &change, "/takeover", "taken");
}

/* ---- sessions ---- */

static void print_ended(const json_t *answer) {
    struct buf line;

    buf_init(&line);
    ctl_append_user(&line, answer);
    if (json_object_get(answer, "sessions") != NULL) {
        buf_append_str(&line, ": ended ");
        ctl_append_count(&line, ctl_number(answer, "sessions"), "session");
    } else {
        buf_append_str(&line, ": ended the session, which was in ");
        ctl_append_count(&line, ctl_number(answer, "rooms"), "room");
    }
    buf_append_char(&line, '.');
    if (json_is_false(json_object_get(answer, "complete"))) {
        buf_append_str(&line, " The store has not been updated yet; the daemon goes on trying.");
    }
    print_line(&line);
}

enum ctl_exit ctl_disconnect(const struct ctl_options *options) {
    const bool by_session = options->session != NULL;
    const char *id = by_session ? options->session : options->user;
    struct ctl_change change = {.method = "DELETE", .subject = id, .reason = options->reason};
    struct ctl_answer answer;
    enum ctl_exit result;
    struct buf path;

    if ((options->user != NULL) == by_session) {
        ctl_complain("disconnect needs --user or --session%s", by_session ? ", not both" : "");
        return CTL_USAGE;
    }
    buf_init(&path);
    buf_append_str(&path, by_session ? "/v1/sessions/" : "/v1/sessions?user=");
    ctl_http_escape(&path, str_of(id));
    change.path = buf_cstr(&path);
    result = ctl_change(options, &change, &answer);
    if (result == CTL_OK && !options->json) {
        print_ended(answer.json);
    }
    ctl_answer_fini(&answer);
    buf_fini(&path);
    return result;
}
