/* POST /v1/locks/{resourceId}/verify: is what somebody saves with the lock's own? */
#include <jansson.h>

#include "http.h"
#include "wslock/base/jsonw.h"
#include "wslock/session/verify.h"

#define PREFIX "/v1/locks/"
#define SUFFIX "/verify"
#define FENCE_MAX ((int64_t)9007199254740991)

static bool is_verify(struct str path, struct str *resource) {
    const size_t prefix = sizeof PREFIX - 1, suffix = sizeof SUFFIX - 1;
    if (path.len < prefix + suffix || memcmp(path.p, PREFIX, prefix) != 0 ||
        memcmp(path.p + path.len - suffix, SUFFIX, suffix) != 0)
        return false;
    *resource = (struct str){path.p + prefix, path.len - prefix - suffix};
    return memchr(resource->p, '/', resource->len) == NULL;
}

/* ---- answers ---- */

static void put_grant(struct jsonw *w, const char *key, const struct verify_grant *grant,
                      bool with_token) {
    jsonw_key(w, key);
    if (grant->token == 0) {
        jsonw_null(w);
        return;
    }
    jsonw_object_open(w);
    jsonw_kstr(w, "userId", grant->user_id);
    jsonw_kstr(w, "username", grant->username.len > 0 ? grant->username : grant->user_id);
    if (with_token)
        jsonw_ki64(w, "token", grant->token);
    jsonw_object_close(w);
}

static void put_answer(const struct verify_answer *answer, struct http_response *response) {
    bool valid = answer->verdict == VERIFY_VALID;
    struct jsonw w;
    response->type = "application/json";
    buf_append_str(&response->headers, "Cache-Control: no-store\r\n");
    jsonw_init(&w, &response->body);
    jsonw_object_open(&w);
    jsonw_kbool(&w, "valid", valid);
    if (valid) {
        put_grant(&w, "holder", &answer->holder, false);
        jsonw_ki64(&w, "token", answer->holder.token);
        jsonw_ki64(&w, "expiresAt", answer->expires_ms);
    } else {
        jsonw_kcstr(&w, "reason", answer->reason);
        jsonw_key(&w, "endedAt");
        if (answer->ended_ms > 0)
            jsonw_i64(&w, answer->ended_ms);
        else
            jsonw_null(&w);
        put_grant(&w, "supersededBy", &answer->superseded_by, true);
    }
    jsonw_object_close(&w);
}

static void on_answer(void *arg, const struct verify_answer *answer) {
    struct http_response response;
    http_response_init(&response);
    if (answer->verdict == VERIFY_UNAVAILABLE) {
        http_error(&response, 503, "BACKEND_UNAVAILABLE",
                   "the store is away or recovering: whether the token counts is not known");
        buf_append_str(&response.headers, "Retry-After: 1\r\n");
    } else {
        put_answer(answer, &response);
    }
    http_call_answer(arg, &response);
}

/* ---- the question ---- */

/* NULL, or what is wrong. *ticket.p NULL: it is the token. */
static const char *read_body(const json_t *body, int64_t *token, struct str *ticket) {
    const json_t *t = json_object_get(body, "token"), *k = json_object_get(body, "ticket");
    if (!json_is_object(body))
        return "the body must be one JSON object that has no key twice";
    if ((t == NULL) == (k == NULL))
        return "the body must have either token or ticket";
    if (k != NULL && !json_is_string(k))
        return "ticket must be a string";
    if (k != NULL) {
        *ticket = (struct str){json_string_value(k), json_string_length(k)};
        return NULL;
    }
    *token = json_integer_value(t);
    if (!json_is_integer(t) || *token < 1 || *token > FENCE_MAX)
        return "token must be a fencing token: an integer from 1 to 2^53 - 1";
    return NULL;
}

struct refusal {
    int status;
    const char *code, *message;
};

static struct refusal read_resource(const struct net *n, const char *path,
                                    struct verify_question *question) {
    struct str text = {NULL, 0};
    if (!is_verify(str_of(path), &text) ||
        !wire_resource_parse(text, n->parts.config->reject_two_part_ids, &question->resource))
        return (struct refusal){400, "INVALID_RESOURCE_ID",
                                "the resource must be type:id or type:id:child"};
    if (!gateway_knows_type(n->gateway, wire_resource_type(&question->resource)))
        return (struct refusal){404, "UNKNOWN_RESOURCE_TYPE", "there is no such resource type"};
    return (struct refusal){0, NULL, NULL};
}

/* True: *question can be put. False: refusal->status is set, or else answer says it all. */
static bool read_question(struct net *n, const char *path, const json_t *body,
                          struct verify_question *question, struct refusal *refusal,
                          struct verify_answer *answer) {
    struct str ticket = {NULL, 0};
    const char *wrong;
    *refusal = read_resource(n, path, question);
    if (refusal->status != 0)
        return false;
    wrong = read_body(body, &question->token, &ticket);
    if (wrong == NULL && ticket.p != NULL && !gateway_has_tickets(n->gateway))
        wrong = "this server signs no tickets (tickets.signingKeyFile)";
    if (wrong != NULL) {
        *refusal = (struct refusal){400, "INVALID_ARGUMENT", wrong};
        return false;
    }
    *answer = (struct verify_answer){.verdict = VERIFY_INVALID};
    return ticket.p == NULL || gateway_read_ticket(n->gateway, ticket, question, &answer->reason);
}

static void verify(struct http_call *call, struct net *n, const char *path, struct str text) {
    struct verify_question question = {.token = 0};
    struct verify_answer answer;
    struct refusal refusal;
    struct http_response response;
    json_t *body = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    bool ok = read_question(n, path, body, &question, &refusal, &answer);
    json_decref(body);
    if (ok) {
        gateway_verify_lock(n->gateway, &question, on_answer, call);
        return;
    }
    http_response_init(&response);
    if (refusal.status != 0)
        http_error(&response, refusal.status, refusal.code, refusal.message);
    else
        put_answer(&answer, &response);
    http_call_answer(call, &response);
}

static void method_not_allowed(struct http_response *response) {
    http_error(response, 405, "METHOD_NOT_ALLOWED", "this path has no such method");
    buf_append_str(&response->headers, "Allow: POST\r\n");
}

bool ops_take_call(struct conn *c, int *result) {
    struct http_request request;
    struct http_response response;
    struct str resource;
    http_request_read(c, &request);
    if (!is_verify(request.path, &resource))
        return false;
    http_response_init(&response);
    bool allowed = ops_authorize(&request, &response);
    if (allowed && request.method == HTTP_POST) {
        *result =
            http_call_begin(c, &request, verify, c->net->parts.config->redis.command_timeout_ms);
        return true;
    }
    if (allowed)
        method_not_allowed(&response);
    *result = http_send(c, &response, request.method == HTTP_HEAD);
    return true;
}
