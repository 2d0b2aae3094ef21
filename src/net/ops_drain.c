/* POST /v1/drain and POST /v1/undrain: answered when the audit record is on disk. */
#include "ops_drain.h"

#include "http_call.h"
#include "ops.h"
#include "wslock/base/mem.h"
#include "wslock/session/gateway.h"
#include "wslock/session/operate.h"

#define TIMEOUT_MAX_MS 86400000

/* A request, until it is answered. */
struct drain_request {
    struct http_call *call;
    struct http_response response;
};

static void send_answer(void *arg, bool audited) {
    struct drain_request *r = arg;
    (void)audited;
    http_call_answer(r->call, &r->response);
    mem_free(r);
}

/* NULL, or the error. *time_ms keeps its value if the body has no timeout. */
static const char *read_timeout(const json_t *body, int64_t *time_ms) {
    const json_t *timeout = json_object_get(body, "timeout");
    if (timeout != NULL) {
        *time_ms = json_integer_value(timeout);
        if (!json_is_integer(timeout) || *time_ms < 0 || *time_ms > TIMEOUT_MAX_MS) {
            return "timeout must be a number of milliseconds from 0 to 86400000";
        }
    }
    return NULL;
}

static void execute(const struct http_request *request, struct http_response *response, bool on,
                    int64_t time_ms, const struct lock_operation *by) {
    struct net *n = request->conn->net;
    size_t sessions = gateway_session_count(n->gateway);
    struct jsonw w;
    if (gateway_forbids_admin(n->gateway)) {
        http_error(response, 503, "AUDIT_UNAVAILABLE",
                   "the audit cannot be written, and nothing is changed without it");
        return;
    }
    if (!n->commands.drain(n->commands.ctx, on, time_ms, by)) {
        http_error(response, 503, "STOPPING", "the daemon is stopping");
        return;
    }
    struct drain_request *r = mem_alloc(sizeof *r);
    ops_begin_object(response, &w);
    jsonw_kbool(&w, "draining", on);
    if (on) {
        jsonw_ki64(&w, "sessions", (int64_t)sessions);
    }
    jsonw_object_close(&w);
    *r = (struct drain_request){request->call, *response};
    response->later = true;
    gateway_when_audited(n->gateway, send_answer, r);
}

static void begin(const struct http_request *request, struct http_response *response, bool on) {
    struct lock_operation by = {.uid = -1};
    char address[ADDRESS_TEXT_MAX];
    int64_t time_ms = request->conn->net->parts.config->drain_timeout_ms;
    json_t *body = jsonr_object(request->body, NULL);
    const char *wrong = ops_read_operator(body, false, &by);
    if (wrong == NULL && on) {
        wrong = read_timeout(body, &time_ms);
    }
    if (wrong != NULL) {
        http_error(response, 400, "INVALID_ARGUMENT", wrong);
    } else {
        ops_read_origin(request->conn, address, &by);
        execute(request, response, on, time_ms, &by);
    }
    json_decref(body);
}

void ops_drain(const struct http_request *request, struct http_response *response) {
    begin(request, response, true);
}

void ops_undrain(const struct http_request *request, struct http_response *response) {
    begin(request, response, false);
}
