/* Messages about a lock. */
#include "wslock/wire/message.h"

#include <string.h>

#include "writer.h"

static void put_previous(struct jsonw *w, const struct wire_ending *previous, bool minimal) {
    jsonw_key(w, "previous");
    jsonw_object_open(w);
    writer_put_person(w, &previous->person, minimal);
    jsonw_kcstr(w, "reason", previous->reason);
    jsonw_kbool(w, "dirty", previous->dirty);
    if (previous->revision.p != NULL) {
        jsonw_kstr(w, "revision", previous->revision);
    }
    jsonw_ki64(w, "endedAt", previous->ended_ms);
    jsonw_object_close(w);
}

/* token, expiresAt, serverTime. */
static void put_grant(struct jsonw *w, const struct wire_at *at, int64_t token,
                      int64_t expires_ms) {
    jsonw_ki64(w, "token", token);
    jsonw_ki64(w, "expiresAt", expires_ms);
    jsonw_ki64(w, "serverTime", at->server_time_ms);
}

static void put_granted(struct jsonw *w, bool resumed, struct str ticket) {
    if (resumed) {
        jsonw_kbool(w, "resumed", true);
    }
    if (ticket.len > 0) {
        jsonw_kstr(w, "ticket", ticket);
    }
}

struct wire_message *wire_acquired(const struct wire_to *to, const struct wire_at *at,
                                   int64_t token, int64_t expires_ms,
                                   const struct config_policy *policy,
                                   const struct wire_ending *previous, bool resumed,
                                   struct str ticket) {
    struct jsonw *w = writer_open(to, "lock:acquired");

    writer_put_at(w, at);
    put_grant(w, at, token, expires_ms);
    jsonw_ki64(w, "ttlMs", policy->lock_ttl_ms);
    jsonw_ki64(w, "heartbeatIntervalMs", policy->heartbeat_interval_ms);
    if (previous != NULL) {
        put_previous(w, previous, to->minimal);
    }
    put_granted(w, resumed, ticket);
    return writer_close(w);
}

struct wire_message *wire_denied(const struct wire_to *to, const struct wire_at *at,
                                 const char *reason, const struct wire_lock *lock,
                                 int64_t retry_after_ms, const char *error_ref) {
    struct jsonw *w = writer_open(to, "lock:denied");

    writer_put_at(w, at);
    jsonw_kcstr(w, "reason", reason);
    if (lock != NULL && (strcmp(lock->state, "held") == 0 || strcmp(lock->state, "grace") == 0)) {
        jsonw_kstr(w, "currentHolder", writer_display_name(&lock->person, to->minimal));
        jsonw_key(w, "holder");
        jsonw_object_open(w);
        writer_put_person(w, &lock->person, to->minimal);
        jsonw_object_close(w);
        jsonw_ki64(w, "expiresAt", lock->expires_ms);
        jsonw_ki64(w, "serverTime", at->server_time_ms);
    }
    if (retry_after_ms > 0) {
        jsonw_ki64(w, "retryAfterMs", retry_after_ms);
    }
    if (error_ref != NULL) {
        jsonw_kcstr(w, "ref", error_ref);
    }
    return writer_close(w);
}

struct wire_message *wire_renewed(const struct wire_to *to, const struct wire_at *at, int64_t token,
                                  int64_t expires_ms, bool resumed, struct str ticket) {
    struct jsonw *w = writer_open(to, "lock:renewed");

    writer_put_at(w, at);
    put_grant(w, at, token, expires_ms);
    put_granted(w, resumed, ticket);
    return writer_close(w);
}

struct wire_message *wire_released_reply(const struct wire_to *to, const struct wire_at *at,
                                         const char *reason) {
    struct jsonw *w = writer_open(to, "lock:released");

    writer_put_at(w, at);
    jsonw_kcstr(w, "reason", reason);
    return writer_close(w);
}

struct wire_message *wire_released(const struct wire_to *to, const struct wire_at *at,
                                   const char *reason, struct str previous_holder) {
    struct jsonw *w = writer_open(to, "lock:released");

    writer_put_at(w, at);
    jsonw_kcstr(w, "reason", reason);
    jsonw_kstr(w, "previousHolder", previous_holder);
    return writer_close(w);
}

struct wire_message *wire_lock_state(const struct wire_to *to, const struct wire_at *at,
                                     const struct wire_lock *lock, const char *cause,
                                     const struct wire_pending *pending) {
    struct jsonw *w = writer_open(to, "lock:state");

    writer_put_at(w, at);
    writer_put_lock(w, lock, to->minimal);
    if (cause != NULL) {
        jsonw_kcstr(w, "cause", cause);
    }
    jsonw_ki64(w, "serverTime", at->server_time_ms);
    if (pending != NULL) {
        writer_put_pending(w, pending, to->minimal);
    }
    return writer_close(w);
}

struct wire_message *wire_lost(const struct wire_to *to, const struct wire_at *at, int64_t token,
                               const char *reason, struct str by) {
    struct jsonw *w = writer_open(to, "lock:lost");

    writer_put_at(w, at);
    jsonw_ki64(w, "token", token);
    jsonw_kcstr(w, "reason", reason);
    if (by.len > 0) {
        jsonw_kstr(w, "by", by);
    }
    return writer_close(w);
}

struct wire_message *wire_expiring(const struct wire_to *to, const struct wire_at *at,
                                   int64_t expires_ms) {
    struct jsonw *w = writer_open(to, "lock:expiring");

    writer_put_at(w, at);
    jsonw_ki64(w, "expiresAt", expires_ms);
    jsonw_ki64(w, "serverTime", at->server_time_ms);
    return writer_close(w);
}
