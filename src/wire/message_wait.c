/* Messages about the queue, requests and takeovers. */
#include "wslock/wire/message.h"

#include <stdio.h>

#include "writer.h"

static void put_text(struct jsonw *w, const char *key, const char *const *texts, size_t count) {
    jsonw_key(w, key);
    jsonw_array_open(w);
    for (size_t i = 0; i < count; i++) {
        jsonw_cstr(w, texts[i]);
    }
    jsonw_array_close(w);
}

/* "less than a minute", "3 min", "2 h 5 min": rounded up to whole minutes. */
static void wait_text(int64_t wait_ms, char out[48]) {
    long long minutes = (long long)((wait_ms + 59999) / 60000);

    if (minutes <= 1) {
        snprintf(out, 48, "%s", wait_ms < 60000 ? "less than a minute" : "1 min");
    } else if (minutes < 60) {
        snprintf(out, 48, "%lld min", minutes);
    } else if (minutes % 60 == 0) {
        snprintf(out, 48, "%lld h", minutes / 60);
    } else {
        snprintf(out, 48, "%lld h %lld min", minutes / 60, minutes % 60);
    }
}

/* estimatedWaitMs and estimatedWait. */
static void put_wait(struct jsonw *w, int64_t wait_ms) {
    char text[48];

    jsonw_key(w, "estimatedWaitMs");
    if (wait_ms < 0) {
        jsonw_null(w);
        jsonw_kcstr(w, "estimatedWait", NULL);
        return;
    }
    jsonw_i64(w, wait_ms);
    wait_text(wait_ms, text);
    jsonw_kcstr(w, "estimatedWait", text);
}

struct wire_message *wire_queued(const struct wire_to *to, const struct wire_at *at,
                                 int64_t position, int64_t wait_ms) {
    struct jsonw *w = writer_open(to, "lock:queued");

    writer_put_at(w, at);
    jsonw_ki64(w, "position", position);
    put_wait(w, wait_ms);
    return writer_close(w);
}

static struct wire_message *claimable(const struct wire_to *to, const char *event,
                                      const struct wire_at *at, int64_t claim_by_ms) {
    struct jsonw *w = writer_open(to, event);

    writer_put_at(w, at);
    jsonw_ki64(w, "claimBy", claim_by_ms);
    jsonw_ki64(w, "serverTime", at->server_time_ms);
    return writer_close(w);
}

struct wire_message *wire_your_turn(const struct wire_to *to, const struct wire_at *at,
                                    int64_t claim_by_ms) {
    return claimable(to, "lock:your_turn", at, claim_by_ms);
}

struct wire_message *wire_available(const struct wire_to *to, const struct wire_at *at,
                                    int64_t claim_by_ms) {
    return claimable(to, "lock:available", at, claim_by_ms);
}

struct wire_message *wire_queue_left(const struct wire_to *to, const struct wire_at *at,
                                     const char *reason) {
    struct jsonw *w = writer_open(to, "lock:queue_left");

    writer_put_at(w, at);
    jsonw_kcstr(w, "reason", reason);
    return writer_close(w);
}

/* ---- requests ---- */

static void put_expiry(struct jsonw *w, const struct wire_at *at, int64_t expires_ms) {
    jsonw_key(w, "expiresAt");
    if (expires_ms > 0) {
        jsonw_i64(w, expires_ms);
    } else {
        jsonw_null(w);
    }
    jsonw_ki64(w, "serverTime", at->server_time_ms);
}

struct wire_message *wire_requested(const struct wire_to *to, const struct wire_at *at,
                                    struct str request_id, int64_t expires_ms,
                                    const char *holder_state) {
    struct jsonw *w = writer_open(to, "lock:requested");

    writer_put_at(w, at);
    jsonw_kstr(w, "requestId", request_id);
    put_expiry(w, at, expires_ms);
    jsonw_kcstr(w, "holderState", holder_state);
    return writer_close(w);
}

static void put_open_request(struct jsonw *w, const struct wire_open_request *r, bool minimal) {
    jsonw_kstr(w, "requestId", r->request_id);
    jsonw_kstr(w, "from", writer_display_name(&r->from, minimal));
    jsonw_kstr(w, "fromUserId", r->from.user_id);
    jsonw_kstr(w, "message", r->message);
}

struct wire_message *wire_request_received(const struct wire_to *to, const struct wire_at *at,
                                           const struct wire_open_request *request) {
    static const char *const actions[] = {"APPROVE", "DENY", "IGNORE"};
    struct jsonw *w = writer_open(to, "lock:request_received");

    writer_put_at(w, at);
    put_open_request(w, request, to->minimal);
    put_text(w, "actions", actions, sizeof actions / sizeof *actions);
    put_expiry(w, at, request->expires_ms);
    return writer_close(w);
}

struct wire_message *wire_request_timeout(const struct wire_to *to, const struct wire_at *at,
                                          struct str request_id, const char *reason,
                                          const struct wire_person *holder) {
    struct jsonw *w = writer_open(to, "lock:request_timeout");
    char message[1100] = "The lock is still held.";

    if (holder->user_id.len > 0) {
        struct str name = writer_display_name(holder, to->minimal);

        snprintf(message, sizeof message, "%.*s is still editing", (int)name.len, name.p);
    }
    writer_put_at(w, at);
    jsonw_kstr(w, "requestId", request_id);
    jsonw_kcstr(w, "reason", reason);
    jsonw_kcstr(w, "message", message);
    return writer_close(w);
}

static struct wire_message *closed(const struct wire_to *to, const char *event,
                                   struct str request_id, struct str outcome) {
    struct jsonw *w = writer_open(to, event);

    jsonw_kstr(w, "requestId", request_id);
    jsonw_kstr(w, "outcome", outcome);
    return writer_close(w);
}

struct wire_message *wire_request_closed(const struct wire_to *to, struct str request_id,
                                         const char *outcome) {
    return closed(to, "lock:request_closed", request_id, str_of(outcome));
}

struct wire_message *wire_answered(const struct wire_to *to, const char *event,
                                   struct str request_id, const char *action) {
    struct jsonw *w = writer_open(to, event);

    jsonw_kstr(w, "requestId", request_id);
    if (action != NULL) {
        jsonw_kcstr(w, "action", action);
    }
    return writer_close(w);
}

struct wire_message *wire_holder_disconnected(const struct wire_to *to, const struct wire_at *at,
                                              const struct wire_person *holder,
                                              int64_t grace_until_ms) {
    static const char *const actions[] = {"CLAIM_NOW", "WAIT_30S"};
    struct jsonw *w = writer_open(to, "lock:holder_disconnected");

    writer_put_at(w, at);
    jsonw_kstr(w, "holder", holder->user_id);
    jsonw_kstr(w, "holderUsername", writer_display_name(holder, to->minimal));
    put_text(w, "actions", actions, sizeof actions / sizeof *actions);
    jsonw_ki64(w, "graceUntil", grace_until_ms);
    jsonw_ki64(w, "serverTime", at->server_time_ms);
    return writer_close(w);
}

/* ---- takeovers ---- */

struct wire_message *wire_takeover_pending(const struct wire_to *to, const struct wire_at *at,
                                           struct str request_id, int64_t force_at_ms) {
    struct jsonw *w = writer_open(to, "lock:takeover_pending");

    writer_put_at(w, at);
    jsonw_kstr(w, "requestId", request_id);
    jsonw_ki64(w, "forceAt", force_at_ms);
    jsonw_ki64(w, "serverTime", at->server_time_ms);
    return writer_close(w);
}

struct wire_message *wire_takeover_requested(const struct wire_to *to, const struct wire_at *at,
                                             struct str request_id, const struct wire_person *admin,
                                             struct str reason, int64_t force_at_ms) {
    static const char *const actions[] = {"APPROVE", "DENY", "AUTO_FORCE_IN_30S"};
    struct jsonw *w = writer_open(to, "lock:takeover_requested");

    writer_put_at(w, at);
    jsonw_kstr(w, "requestId", request_id);
    jsonw_kstr(w, "from", writer_display_name(admin, to->minimal));
    jsonw_kstr(w, "reason", reason);
    put_text(w, "actions", actions, sizeof actions / sizeof *actions);
    jsonw_ki64(w, "forceAt", force_at_ms);
    jsonw_ki64(w, "serverTime", at->server_time_ms);
    return writer_close(w);
}

struct wire_message *wire_takeover_denied(const struct wire_to *to, struct str request_id,
                                          struct str by, int64_t force_at_ms) {
    struct jsonw *w = writer_open(to, "lock:takeover_denied");

    jsonw_kstr(w, "requestId", request_id);
    jsonw_kstr(w, "by", by);
    jsonw_ki64(w, "forceAt", force_at_ms);
    return writer_close(w);
}

struct wire_message *wire_takeover_closed(const struct wire_to *to, struct str request_id,
                                          struct str outcome) {
    return closed(to, "lock:takeover_closed", request_id, outcome);
}

struct wire_message *wire_taken_by_admin(const struct wire_to *to, const struct wire_at *at,
                                         const struct wire_person *admin, struct str reason) {
    struct jsonw *w = writer_open(to, "lock:taken_by_admin");

    writer_put_at(w, at);
    jsonw_kstr(w, "admin", admin->user_id);
    jsonw_kstr(w, "adminUsername", writer_display_name(admin, to->minimal));
    jsonw_kstr(w, "reason", reason);
    return writer_close(w);
}

/* ---- `pending` of replies ---- */

static void put_takeover(struct jsonw *w, const struct wire_pending *p, bool minimal) {
    jsonw_key(w, "takeover");
    jsonw_object_open(w);
    jsonw_kstr(w, "requestId", p->takeover_id);
    jsonw_kstr(w, "from", writer_display_name(&p->admin, minimal));
    jsonw_kstr(w, "reason", p->takeover_reason);
    jsonw_ki64(w, "forceAt", p->force_at_ms);
    jsonw_object_close(w);
}

static void put_requests(struct jsonw *w, const struct wire_pending *p, bool minimal) {
    jsonw_key(w, "requests");
    jsonw_array_open(w);
    for (size_t i = 0; i < p->received_count; i++) {
        jsonw_object_open(w);
        put_open_request(w, &p->received[i], minimal);
        jsonw_ki64(w, "expiresAt", p->received[i].expires_ms);
        jsonw_object_close(w);
    }
    jsonw_array_close(w);
}

static bool anything(const struct wire_pending *p) {
    return p != NULL && (p->position > 0 || p->claim_by_ms > 0 || p->own.request_id.len > 0 ||
                         p->received_count > 0 || p->takeover_id.len > 0);
}

void writer_put_pending(struct jsonw *w, const struct wire_pending *p, bool minimal) {
    if (!anything(p)) {
        return;
    }
    jsonw_key(w, "pending");
    jsonw_object_open(w);
    if (p->position > 0) {
        jsonw_ki64(w, "position", p->position);
        put_wait(w, p->wait_ms);
    }
    if (p->claim_by_ms > 0) {
        jsonw_ki64(w, "claimBy", p->claim_by_ms);
    }
    if (p->own.request_id.len > 0) {
        jsonw_key(w, "request");
        jsonw_object_open(w);
        jsonw_kstr(w, "requestId", p->own.request_id);
        jsonw_key(w, "expiresAt");
        if (p->own.expires_ms > 0) {
            jsonw_i64(w, p->own.expires_ms);
        } else {
            jsonw_null(w);
        }
        jsonw_object_close(w);
    }
    if (p->received_count > 0) {
        put_requests(w, p, minimal);
    }
    if (p->takeover_id.len > 0) {
        put_takeover(w, p, minimal);
    }
    jsonw_object_close(w);
}
