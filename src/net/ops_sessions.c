/* GET /v1/sessions. */
#include "ops_sessions.h"

#include "http_call.h"
#include "ops.h"
#include "ops_query.h"
#include "wslock/base/clock.h"
#include "wslock/base/jsonw.h"
#include "wslock/base/mem.h"
#include "wslock/base/rand.h"
#include "wslock/session/inspect.h"

struct list_request {
    struct http_call *call;
    const struct config *config;
};

static void put_session(struct jsonw *w, const struct session_view *s) {
    jsonw_object_open(w);
    jsonw_kstr(w, "sessionId", s->session_id);
    jsonw_kstr(w, "userId", s->user_id);
    jsonw_kstr(w, "username", s->username);
    if (s->client_id.len > 0) {
        jsonw_kstr(w, "clientId", s->client_id);
    }
    jsonw_kstr(w, "address", s->address);
    jsonw_kstr(w, "userAgent", s->user_agent);
    jsonw_kcstr(w, "framing", s->framing);
    jsonw_kcstr(w, "transport", s->transport);
    jsonw_ki64(w, "connectedAt", s->connected_ms);
    jsonw_ki64(w, "tokenExpiresAt", s->token_expires_ms);
    jsonw_key(w, "roles");
    jsonw_array_open(w);
    for (size_t i = 0; i < s->role_count; i++) {
        jsonw_cstr(w, s->roles[i]);
    }
    jsonw_array_close(w);
    jsonw_ki64(w, "rooms", (int64_t)s->rooms);
    jsonw_ki64(w, "locks", (int64_t)s->locks);
    jsonw_object_close(w);
}

static void on_list(void *arg, const struct session_view *sessions, size_t count,
                    const char *next) {
    struct list_request *r = arg;
    struct http_response response;
    struct jsonw w;
    http_response_init(&response);
    ops_begin_object(&response, &w);
    jsonw_kcstr(&w, "instance", r->config->instance);
    jsonw_ki64(&w, "now", clock_wall_ms());
    jsonw_key(&w, "sessions");
    jsonw_array_open(&w);
    for (size_t i = 0; i < count; i++) {
        put_session(&w, &sessions[i]);
    }
    jsonw_array_close(&w);
    jsonw_kcstr(&w, "next", next);
    jsonw_object_close(&w);
    http_call_answer(r->call, &response);
    mem_free(r);
}

static bool is_cursor(struct str after) {
    for (size_t i = 0; i < after.len; i++) {
        char c = after.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return after.len == 0 || after.len == RAND_ID_LEN;
}

void ops_list_sessions(const struct http_request *request, struct http_response *response) {
    struct net *n = request->conn->net;
    struct ops_query q;
    if (!ops_read_query(request,
                        OPS_TAKES(OPS_USER) | OPS_TAKES(OPS_AFTER) | OPS_TAKES(OPS_LIMIT) |
                            OPS_TAKES(OPS_ACTOR),
                        &q, response)) {
        return;
    }
    const struct session_filter filter = {.user_id = ops_value(&q, OPS_USER),
                                          .after = ops_value(&q, OPS_AFTER),
                                          .limit = (size_t)q.limit};
    if (!is_cursor(filter.after)) {
        http_error(response, 400, "INVALID_ARGUMENT",
                   "after must be what an earlier page has as next");
        return;
    }
    if (!ops_record_query(request, &q, str_of(""), "sessions", response)) {
        return;
    }
    struct list_request *r = mem_alloc(sizeof *r);
    *r = (struct list_request){request->call, n->parts.config};
    response->later = gateway_list_sessions(n->gateway, &filter, on_list, r);
    if (!response->later) {
        mem_free(r);
        ops_refuse_busy(response);
    }
}
