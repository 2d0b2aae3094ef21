/*
 * Operators' changes: DELETE /v1/locks/{resourceId}, POST /v1/locks/{resourceId}/takeover,
 * DELETE /v1/sessions/{sessionId}, DELETE /v1/sessions?user=. A change is answered when its audit
 * record is on disk.
 */
#include "ops_operate.h"

#include "http_call.h"
#include "ops.h"
#include "ops_query.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/jsonw.h"
#include "wslock/base/mem.h"
#include "wslock/session/operate.h"

enum operation_kind { RELEASE, TAKEOVER, END_SESSION, END_USER };

/* A request, until it is answered. */
struct operation {
    struct http_call *call;
    struct gateway *gateway;
    enum operation_kind kind;
    char *name; /* the resource, in three parts, the session or the user */
    struct http_response response;
};

/* ---- answers ---- */

static void put_lock(struct jsonw *w, const struct lock_view *v) {
    jsonw_key(w, "lock");
    jsonw_object_open(w);
    jsonw_kcstr(w, "state", lock_state_text(v->state));
    if (lock_is_owned(v)) {
        ops_put_person(w, "holder", v->user_id, v->username, v->token);
        jsonw_ki64(w, "expiresAt", v->expires_ms);
    } else if (v->state == LOCK_STATE_RESERVED) {
        ops_put_person(w, "reservedFor", v->user_id, v->username, 0);
        jsonw_ki64(w, "reservedUntil", v->reserved_until_ms);
    }
    if (v->state != LOCK_STATE_FREE) {
        jsonw_ki64(w, "queueLength", v->queue_length);
    }
    jsonw_object_close(w);
}

static void put_done(const struct operation *o, const struct operate_answer *answer,
                     struct http_response *response) {
    struct jsonw w;
    ops_begin_object(response, &w);
    if (o->kind == END_SESSION) {
        jsonw_kcstr(&w, "sessionId", o->name);
        jsonw_kstr(&w, "userId", answer->user_id);
        jsonw_kstr(&w, "username", answer->username);
        jsonw_ki64(&w, "rooms", (int64_t)answer->rooms);
        jsonw_kbool(&w, "complete", answer->complete);
    } else if (o->kind == END_USER) {
        jsonw_kcstr(&w, "userId", o->name);
        jsonw_ki64(&w, "sessions", (int64_t)answer->sessions);
        jsonw_kbool(&w, "complete", answer->complete);
    } else {
        jsonw_kcstr(&w, "resourceId", o->name);
        if (answer->ended->present) {
            ops_put_person(&w, "previousHolder", answer->ended->user_id, answer->ended->username,
                           answer->ended->token);
        } else {
            jsonw_key(&w, "previousHolder");
            jsonw_null(&w);
        }
        put_lock(&w, answer->lock);
        if (o->kind == TAKEOVER) {
            jsonw_kbool(&w, "inRoom", answer->in_room);
        }
    }
    jsonw_object_close(&w);
}

static void send_answer(void *arg, bool audited) {
    struct operation *o = arg;
    (void)audited;
    http_call_answer(o->call, &o->response);
    mem_free(o->name);
    mem_free(o);
}

static const char *nothing_text(enum operation_kind kind) {
    return kind == END_SESSION ? "this instance has no such session"
           : kind == END_USER  ? "this instance has no session of this user"
                               : "nobody has this lock";
}

static void on_answer(void *arg, const struct operate_answer *answer) {
    struct operation *o = arg;
    switch (answer->verdict) {
    case OPERATE_DONE:
        put_done(o, answer, &o->response);
        gateway_when_audited(o->gateway, send_answer, o);
        return;
    case OPERATE_NOTHING:
        http_error(&o->response, 404, "NOT_FOUND", nothing_text(o->kind));
        break;
    case OPERATE_UNAVAILABLE:
        http_error(&o->response, 503, "BACKEND_UNAVAILABLE",
                   "the store is unavailable or recovering: check the lock before you try again");
        buf_append_str(&o->response.headers, "Retry-After: 1\r\n");
        break;
    case OPERATE_UNAUDITED:
        http_error(&o->response, 503, "AUDIT_UNAVAILABLE",
                   "the audit cannot be written, and nothing is changed without it");
        break;
    }
    send_answer(o, true);
}

/* ---- the request ---- */

/* NULL, or the error. */
static const char *read_body(const json_t *body, bool takeover, struct lock_operation *out) {
    const char *wrong = ops_read_operator(body, true, out);
    if (wrong == NULL && takeover &&
        (!ops_read_text(body, "userId", &out->user_id) || out->user_id.len > OPS_ID_MAX)) {
        wrong = "userId must be a string of 1 to 256 bytes without U+0000";
    }
    return wrong;
}

/* What is released, taken or ended. False: response says what is wrong. */
static bool read_target(const struct http_request *request, enum operation_kind kind,
                        struct wire_resource *resource, struct ops_query *q,
                        struct http_response *response) {
    if (kind == RELEASE || kind == TAKEOVER) {
        return ops_read_resource(request, resource, response);
    }
    if (kind == END_SESSION) {
        return true;
    }
    if (!ops_read_query(request, OPS_TAKES(OPS_USER), q, response)) {
        return false;
    }
    if (ops_value(q, OPS_USER).len == 0) {
        http_error(response, 400, "INVALID_ARGUMENT",
                   "the query must have user: whose sessions are to end");
        return false;
    }
    return true;
}

static void begin(const struct http_request *request, struct http_response *response,
                  enum operation_kind kind) {
    struct lock_operation by = {.uid = -1};
    struct wire_resource resource;
    struct ops_query q;
    char address[ADDRESS_TEXT_MAX];
    json_t *body = jsonr_object(request->body, NULL);
    const char *wrong = read_body(body, kind == TAKEOVER, &by);
    bool ok = read_target(request, kind, &resource, &q, response);
    if (ok && wrong != NULL) {
        http_error(response, 400, "INVALID_ARGUMENT", wrong);
    }
    if (!ok || wrong != NULL) {
        json_decref(body);
        return;
    }
    ops_read_origin(request->conn, address, &by);
    struct operation *o = mem_zalloc(sizeof *o);
    *o = (struct operation){
        .call = request->call, .gateway = request->conn->net->gateway, .kind = kind};
    o->name = str_dup(kind == END_SESSION ? request->name
                      : kind == END_USER  ? ops_value(&q, OPS_USER)
                                          : wire_resource_str(&resource));
    o->response = *response;
    response->later = true;
    if (kind == END_SESSION) {
        gateway_end_session(o->gateway, request->name, &by, on_answer, o);
    } else if (kind == END_USER) {
        gateway_end_user(o->gateway, ops_value(&q, OPS_USER), &by, on_answer, o);
    } else {
        gateway_operate_lock(o->gateway, &resource, kind == TAKEOVER, &by, on_answer, o);
    }
    json_decref(body);
}

void ops_release(const struct http_request *request, struct http_response *response) {
    begin(request, response, RELEASE);
}

void ops_takeover(const struct http_request *request, struct http_response *response) {
    begin(request, response, TAKEOVER);
}

void ops_end_session(const struct http_request *request, struct http_response *response) {
    begin(request, response, END_SESSION);
}

void ops_end_user(const struct http_request *request, struct http_response *response) {
    begin(request, response, END_USER);
}
