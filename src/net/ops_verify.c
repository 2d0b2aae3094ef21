/* POST /v1/locks/{resourceId}/verify: checks a fencing token or ticket before a save. */
#include "ops_verify.h"

#include "http_call.h"
#include "ops.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/jsonw.h"
#include "wslock/session/verify.h"

/* ---- answers ---- */

static void put_grant(struct jsonw *w, const char *key, const struct verify_grant *grant,
                      bool with_token) {
    if (grant->token != 0) {
        ops_put_person(w, key, grant->user_id, grant->username, with_token ? grant->token : 0);
    } else {
        jsonw_key(w, key);
        jsonw_null(w);
    }
}

static void put_answer(const struct verify_answer *answer, struct http_response *response) {
    bool valid = answer->verdict == VERIFY_VALID;
    struct jsonw w;
    ops_begin_object(response, &w);
    jsonw_kbool(&w, "valid", valid);
    if (valid) {
        put_grant(&w, "holder", &answer->holder, false);
        jsonw_ki64(&w, "token", answer->holder.token);
        jsonw_ki64(&w, "expiresAt", answer->expires_ms);
    } else {
        jsonw_kcstr(&w, "reason", answer->reason);
        jsonw_key(&w, "endedAt");
        if (answer->ended_ms > 0) {
            jsonw_i64(&w, answer->ended_ms);
        } else {
            jsonw_null(&w);
        }
        put_grant(&w, "supersededBy", &answer->superseded_by, true);
    }
    jsonw_object_close(&w);
}

static void on_answer(void *arg, const struct verify_answer *answer) {
    struct http_response response;
    http_response_init(&response);
    if (answer->verdict == VERIFY_UNAVAILABLE) {
        http_error(&response, 503, "BACKEND_UNAVAILABLE",
                   "the store is unavailable or recovering: the token cannot be checked");
        buf_append_str(&response.headers, "Retry-After: 1\r\n");
    } else {
        put_answer(answer, &response);
    }
    http_call_answer(arg, &response);
}

/* ---- the request ---- */

/* NULL, or the error. Sets *ticket or *token. */
static const char *read_body(const json_t *body, int64_t *token, struct str *ticket) {
    const json_t *t = json_object_get(body, "token"), *k = json_object_get(body, "ticket");
    if (body == NULL) {
        return OPS_BODY_FORM;
    }
    if ((t == NULL) == (k == NULL)) {
        return "the body must have either token or ticket";
    }
    if (k != NULL && !json_is_string(k)) {
        return "ticket must be a string";
    }
    if (k != NULL) {
        *ticket = jsonr_str(k);
        return NULL;
    }
    *token = json_integer_value(t);
    if (!json_is_integer(t) || *token < 1 || *token > JSON_INTEGER_MAX) {
        return "token must be a fencing token: an integer from 1 to 2^53 - 1";
    }
    return NULL;
}

/* True: *question is to be sent to the store. False: response is complete. */
static bool read_question(const struct http_request *request, const json_t *body,
                          struct verify_question *question, struct http_response *response,
                          struct verify_answer *answer) {
    struct gateway *gateway = request->conn->net->gateway;
    struct str ticket = {NULL, 0};
    const char *wrong;
    if (!ops_read_resource(request, &question->resource, response)) {
        return false;
    }
    wrong = read_body(body, &question->token, &ticket);
    if (wrong == NULL && ticket.p != NULL && !gateway_has_tickets(gateway)) {
        wrong = "this server signs no tickets (tickets.signingKeyFile)";
    }
    if (wrong != NULL) {
        http_error(response, 400, "INVALID_ARGUMENT", wrong);
        return false;
    }
    if (ticket.p == NULL || gateway_read_ticket(gateway, ticket, question, &answer->reason)) {
        return true;
    }
    put_answer(answer, response);
    return false;
}

void ops_verify(const struct http_request *request, struct http_response *response) {
    struct verify_question question = {.token = 0};
    struct verify_answer answer = {.verdict = VERIFY_INVALID};
    json_t *body = jsonr_object(request->body, NULL);
    response->later = read_question(request, body, &question, response, &answer);
    if (response->later) {
        gateway_verify_lock(request->conn->net->gateway, &question, on_answer, request->call);
    }
    json_decref(body);
}
