/* Asks for one lock; what several commands say of locks. */
#include "lock_text.h"

#include "wslock/base/jsonr.h"
#include "wslock/base/mem.h"

#include "change.h"
#include "text.h"

enum ctl_exit ctl_ask_lock(const struct ctl_options *options, struct ctl_answer *out) {
    char *path = ctl_lock_path(options->words[0], "?actor="), *actor = ctl_find_actor();
    struct ctl_daemon daemon = {0};
    enum ctl_exit result = CTL_USAGE;
    struct buf query;

    *out = (struct ctl_answer){0};
    buf_init(&out->body);
    buf_init(&query);
    if (path == NULL) {
        goto done;
    }
    buf_append_str(&query, path);
    ctl_http_escape(&query, str_of(actor));
    if (options->user != NULL) {
        buf_append_str(&query, "&user=");
        ctl_http_escape(&query, str_of(options->user));
    }
    result = ctl_daemon_find(options, &daemon);
    if (result == CTL_OK) {
        const struct ctl_request request = {
            .method = "GET", .path = buf_cstr(&query), .timeout_ms = CTL_READ_MS};

        result = ctl_daemon_request(&daemon, &request, options->words[0], out);
    }
    if (options->json && out->json != NULL) {
        ctl_answer_print(out);
    }
    ctl_daemon_forget(&daemon);
done:
    buf_fini(&query);
    mem_free(path);
    mem_free(actor);
    return result;
}

enum ctl_style ctl_lock_style(const json_t *state) {
    if (jsonr_is(state, "held")) {
        return CTL_GREEN;
    }
    if (jsonr_is(state, "grace")) {
        return CTL_YELLOW;
    }
    return jsonr_is(state, "reserved") ? CTL_CYAN : CTL_PLAIN;
}

const json_t *ctl_lock_owner(const json_t *lock) {
    const json_t *holder = json_object_get(lock, "holder");

    return holder != NULL ? holder : json_object_get(lock, "reservedFor");
}

int64_t ctl_lock_due(const json_t *lock) {
    const json_t *state = json_object_get(lock, "state");
    const int64_t expires_ms = ctl_number(lock, "expiresAt");
    const int64_t idle_ms = ctl_number(lock, "idleReleaseAt");

    if (jsonr_is(state, "reserved")) {
        return ctl_number(lock, "reservedUntil");
    }
    if (jsonr_is(state, "grace")) {
        return ctl_number(lock, "graceUntil");
    }
    return idle_ms > 0 && idle_ms < expires_ms ? idle_ms : expires_ms;
}

void ctl_append_lock_notes(struct buf *out, const json_t *lock) {
    const bool dirty = json_is_true(json_object_get(lock, "dirty"));
    const bool claimable = json_is_true(json_object_get(lock, "claimable"));

    buf_append_str(out, dirty ? "unsaved changes" : "");
    buf_append_str(out, dirty && claimable ? ", " : "");
    buf_append_str(out, claimable ? "claimable" : "");
}

const char *ctl_ending_text(const json_t *reason) {
    static const struct {
        const char *reason, *text;
    } TEXTS[] = {
        {"RELEASED", "the holder released it"},
        {"EXPIRED", "no heartbeat came in time, or the user was idle too long"},
        {"DISCONNECT", "the connection ended, and the type has no grace"},
        {"GRACE_PERIOD_EXPIRED", "the holder was away longer than the grace period"},
        {"MOVED", "another tab of the same user took it"},
        {"CLAIMED", "the holder was away, and another user claimed it"},
        {"TRANSFERRED", "the holder gave it to a user who requested it, or to an administrator"},
        {"TAKEN_BY_ADMIN", "an administrator or an operator took it"},
        {"ADMIN_RELEASED", "an operator released it"},
        {"SESSION_TERMINATED", "an operator ended the connection"},
        {"STORE_LOST", "the store was away so long that the lock could not be confirmed"},
        {"RESERVATION_EXPIRED", "it was not claimed in time"},
        {"LEFT", "the holder left"},
    };

    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        if (jsonr_is(reason, TEXTS[i].reason)) {
            return TEXTS[i].text;
        }
    }
    return NULL;
}
