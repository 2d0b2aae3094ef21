/* Messages about the connection and the server. */
#include "wslock/wire/message.h"

#include "socketio.h"
#include "writer.h"

struct wire_message *wire_welcome(const struct wire_to *to, struct str session_id,
                                  struct str user_id, struct str username, const char *const *roles,
                                  size_t role_count, bool admin, int64_t server_time_ms,
                                  int64_t token_expires_ms, int64_t max_message_bytes,
                                  const char *instance) {
    struct jsonw *w = writer_open(to, "welcome");

    jsonw_kcstr(w, "protocol", "wslock.v1");
    jsonw_kstr(w, "sessionId", session_id);
    jsonw_kstr(w, "userId", user_id);
    jsonw_kstr(w, "username", username);
    jsonw_key(w, "roles");
    jsonw_array_open(w);
    for (size_t i = 0; i < role_count; i++) {
        jsonw_cstr(w, roles[i]);
    }
    jsonw_array_close(w);
    jsonw_kbool(w, "admin", admin);
    jsonw_ki64(w, "serverTime", server_time_ms);
    jsonw_ki64(w, "tokenExpiresAt", token_expires_ms);
    jsonw_ki64(w, "maxMessageBytes", max_message_bytes);
    jsonw_kcstr(w, "instance", instance);
    struct wire_message *m = writer_close(w);
    if (to->ref != NULL && to->ref->connect) {
        socketio_accept(m, session_id);
    }
    return m;
}

struct wire_message *wire_auth_refreshed(const struct wire_to *to, int64_t token_expires_ms,
                                         int64_t server_time_ms) {
    struct jsonw *w = writer_open(to, "auth:refreshed");

    jsonw_ki64(w, "tokenExpiresAt", token_expires_ms);
    jsonw_ki64(w, "serverTime", server_time_ms);
    return writer_close(w);
}

struct wire_message *wire_auth_expiring(const struct wire_to *to, int64_t token_expires_ms,
                                        int64_t server_time_ms) {
    struct jsonw *w = writer_open(to, "auth:expiring");

    jsonw_ki64(w, "expiresAt", token_expires_ms);
    jsonw_ki64(w, "serverTime", server_time_ms);
    return writer_close(w);
}

struct wire_message *wire_pong(const struct wire_to *to, int64_t server_time_ms) {
    struct jsonw *w = writer_open(to, "session:pong");

    jsonw_ki64(w, "serverTime", server_time_ms);
    return writer_close(w);
}

static void put_error_extra(struct jsonw *w, enum wire_error_code code,
                            const struct wire_error_extra *extra) {
    if (extra->resource.len > 0) {
        jsonw_kstr(w, "resourceId", extra->resource);
        if (extra->rev > 0) {
            jsonw_ki64(w, "rev", extra->rev);
        }
    }
    if (extra->field != NULL) {
        jsonw_kcstr(w, "field", extra->field);
    }
    if (extra->retry_after_ms > 0) {
        jsonw_ki64(w, "retryAfterMs", extra->retry_after_ms);
    }
    /* These limits may be configured as 0. */
    if (extra->limit > 0 || code == WIRE_ERR_MAX_TAB_LOCKS_EXCEEDED ||
        code == WIRE_ERR_MAX_VIEWERS_EXCEEDED) {
        jsonw_ki64(w, "limit", extra->limit);
    }
    if (code == WIRE_ERR_MAX_TAB_LOCKS_EXCEEDED) {
        jsonw_key(w, "held");
        jsonw_array_open(w);
        for (size_t i = 0; i < extra->held_count; i++) {
            jsonw_str(w, extra->held[i]);
        }
        jsonw_array_close(w);
    }
}

struct wire_message *wire_error(const struct wire_to *to, enum wire_error_code code,
                                const char *message, const char *error_ref,
                                const struct wire_error_extra *extra) {
    struct jsonw *w = writer_open(to, "error");

    jsonw_kcstr(w, "code", wire_error_name(code));
    jsonw_kcstr(w, "message", message);
    jsonw_kcstr(w, "ref", error_ref);
    if (extra != NULL) {
        put_error_extra(w, code, extra);
    }
    struct wire_message *m = writer_close(w);
    if (to->ref != NULL && to->ref->connect) {
        socketio_refuse(m, message);
    }
    return m;
}

struct wire_message *wire_session_closed(const struct wire_to *to, enum wire_close close) {
    struct jsonw *w = writer_open(to, "session:closed");

    jsonw_ki64(w, "code", wire_close_code(close));
    jsonw_kcstr(w, "reason", wire_close_reason(close));
    jsonw_kbool(w, "reconnect", wire_close_reconnect(close));
    struct wire_message *m = writer_close(w);
    m->is_last = !wire_close_reconnect(close);
    return m;
}

struct wire_message *wire_degraded(const struct wire_to *to, int64_t confirmed_until_ms) {
    struct jsonw *w = writer_open(to, "system:degraded");

    jsonw_key(w, "confirmedUntil");
    if (confirmed_until_ms > 0) {
        jsonw_i64(w, confirmed_until_ms);
    } else {
        jsonw_null(w);
    }
    return writer_close(w);
}

struct wire_message *wire_recovered(const struct wire_to *to) {
    return writer_close(writer_open(to, "system:recovered"));
}

struct wire_message *wire_draining(const struct wire_to *to, int64_t reconnect_in_ms) {
    struct jsonw *w = writer_open(to, "server:draining");

    jsonw_ki64(w, "reconnectInMs", reconnect_in_ms);
    return writer_close(w);
}
