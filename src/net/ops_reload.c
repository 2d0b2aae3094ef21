/* POST /v1/reload: answered when the reload is over and its audit record is on disk. */
#include "ops_reload.h"

#include <string.h>

#include "http_call.h"
#include "ops.h"
#include "wslock/base/mem.h"
#include "wslock/session/operate.h"

#define WARNING "warning: "

/* A JSON array. */
struct findings {
    struct buf text;
    struct jsonw json;
};

/* A reload, until it is answered. */
struct reload {
    struct http_call *call;
    struct findings problems, warnings;
    struct http_response response;
};

/* ---- findings ---- */

static void findings_init(struct findings *f) {
    buf_init(&f->text);
    jsonw_init(&f->json, &f->text);
    jsonw_array_open(&f->json);
}

static void on_finding(void *ctx, const char *file, int line, const char *key, const char *text) {
    struct reload *r = ctx;
    bool warning = strncmp(text, WARNING, sizeof WARNING - 1) == 0;
    struct jsonw *w = warning ? &r->warnings.json : &r->problems.json;
    jsonw_object_open(w);
    jsonw_kcstr(w, "file", file);
    if (line > 0) {
        jsonw_ki64(w, "line", line);
    }
    if (*key != '\0') {
        jsonw_kcstr(w, "key", key);
    }
    jsonw_kcstr(w, "message", warning ? text + sizeof WARNING - 1 : text);
    jsonw_object_close(w);
}

/* Puts `,"name":[…]` before the `tail` that ends the body. */
static void insert(struct buf *body, const char *tail, const char *name, struct findings *f) {
    jsonw_array_close(&f->json);
    body->len -= strlen(tail);
    buf_printf(body, ",\"%s\":", name);
    buf_append(body, f->text.data, f->text.len);
    buf_append_str(body, tail);
}

/* ---- the answer ---- */

static void send_answer(struct reload *r) {
    http_call_answer(r->call, &r->response);
    buf_fini(&r->problems.text);
    buf_fini(&r->warnings.text);
    mem_free(r);
}

static void on_audited(void *arg, bool ok) {
    struct reload *r = arg;
    if (!ok && r->response.status == 200) {
        http_error(&r->response, 503, "AUDIT_UNAVAILABLE",
                   "the configuration was reloaded, but the audit cannot be written, so that its "
                   "file may still be the one before");
    }
    send_answer(r);
}

static void put_done(struct reload *r) {
    r->response.type = "application/json";
    buf_append_str(&r->response.body, "{\"reloaded\":true}");
    insert(&r->response.body, "}", "warnings", &r->warnings);
}

static void put_refused(struct reload *r) {
    http_error(&r->response, 422, "RELOAD_REFUSED",
               "The new configuration is not valid. The previous one stays in force.");
    insert(&r->response.body, "}}", "problems", &r->problems);
}

static void execute(struct net *n, struct reload *r, const struct lock_operation *by) {
    switch (n->commands.reload(n->commands.ctx, by, on_finding, r)) {
    case NET_RELOAD_DONE:
        put_done(r);
        gateway_when_audited(n->gateway, on_audited, r);
        return;
    case NET_RELOAD_REFUSED:
        put_refused(r);
        gateway_when_audited(n->gateway, on_audited, r);
        return;
    case NET_RELOAD_STOPPING:
        http_error(&r->response, 503, "STOPPING", "the daemon is stopping");
        send_answer(r);
        return;
    }
}

void ops_reload(const struct http_request *request, struct http_response *response) {
    struct lock_operation by = {.uid = -1};
    char address[ADDRESS_TEXT_MAX];
    json_t *body = jsonr_object(request->body, NULL);
    const char *wrong = ops_read_operator(body, false, &by);
    if (wrong != NULL) {
        http_error(response, 400, "INVALID_ARGUMENT", wrong);
    } else {
        struct reload *r = mem_zalloc(sizeof *r);
        ops_read_origin(request->conn, address, &by);
        findings_init(&r->problems);
        findings_init(&r->warnings);
        r->call = request->call;
        r->response = *response;
        buf_append_str(&r->response.headers, "Cache-Control: no-store\r\n");
        response->later = true;
        execute(request->conn->net, r, &by);
    }
    json_decref(body);
}
