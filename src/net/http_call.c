/* Requests that have a body, or whose answer takes time. */
#include <stdlib.h>

#include "http.h"
#include "wslock/base/mem.h"

#define TIME_MORE_MS 1000 /* above what the answer may take: it is to come first */

struct http_call {
    struct conn *conn; /* NULL: gone */
    http_call_handler handle;
    int64_t time_ms;
    char *name;
    size_t expected;
    struct buf body;
    bool handling; /* inside the handler */
    bool asked;    /* the handler has been called */
    bool answered;
    struct http_response response; /* when answered */
};

static void call_free(struct http_call *call) {
    mem_free(call->name);
    buf_fini(&call->body);
    if (call->answered)
        http_response_fini(&call->response);
    mem_free(call);
}

static int refuse(struct conn *c, int status, const char *code, const char *message) {
    struct http_response response;
    http_response_init(&response);
    http_error(&response, status, code, message);
    return http_send(c, &response, false);
}

static int refuse_busy(struct conn *c) {
    struct http_response response;
    http_response_init(&response);
    http_error(&response, 503, "TOO_MANY_REQUESTS",
               "as many requests as may are being answered: try again");
    buf_append_str(&response.headers, "Retry-After: 1\r\n");
    return http_send(c, &response, false);
}

int http_call_begin(struct conn *c, struct str name, http_call_handler handle, int64_t time_ms) {
    char text[24], *end;
    unsigned long long len = 0;
    bool too_long = false, has_length;
    has_length = http_header(c, WSI_TOKEN_HTTP_CONTENT_LENGTH, text, sizeof text, &too_long);
    if (has_length) {
        len = strtoull(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end != '\0')
            return refuse(c, 400, "INVALID_ARGUMENT", "Content-Length is no number");
    }
    if (!has_length && !too_long)
        return refuse(c, 411, "LENGTH_REQUIRED", "this needs a body with its Content-Length");
    if (too_long || len > HTTP_CALL_BODY_MAX)
        return refuse(c, 413, "BODY_TOO_LONG", "the body is longer than 16 KiB");
    if (len == 0)
        return refuse(c, 400, "INVALID_ARGUMENT", "the body is empty");
    struct http_call *call = mem_zalloc(sizeof *call);
    call->conn = c;
    call->handle = handle;
    call->time_ms = time_ms;
    call->name = str_dup(name);
    call->expected = (size_t)len;
    buf_init(&call->body);
    c->call = call;
    return 0;
}

struct conn *http_call_conn(const struct http_call *call) {
    return call->conn;
}

int http_call_body(struct conn *c, const char *data, size_t len) {
    struct http_call *call = c->call;
    if (call == NULL || call->asked)
        return 0;
    if (len > call->expected - call->body.len)
        return -1; /* libwebsockets counts too */
    buf_append(&call->body, data, len);
    return 0;
}

static int send_answer(struct http_call *call) {
    struct conn *c = call->conn;
    c->call = NULL;
    if (call->asked)
        c->listener->calls_open--;
    int result = http_send(c, &call->response, false); /* frees its buffers */
    call->answered = false;
    call_free(call);
    return result;
}

static void on_too_slow(struct wheel_timer *timer) {
    conn_kill(CONTAINER_OF(timer, struct conn, timer));
}

int http_call_body_done(struct conn *c) {
    struct http_call *call = c->call;
    if (call == NULL || call->asked)
        return 0;
    if (call->body.len != call->expected)
        return -1;
    if (c->listener->calls_open >= NET_OPS_CALLS) {
        c->call = NULL;
        call_free(call);
        return refuse_busy(c);
    }
    c->listener->calls_open++;
    lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0);
    wheel_set(c->net->parts.wheel, &c->timer, (uint64_t)(call->time_ms + TIME_MORE_MS),
              on_too_slow);
    call->asked = call->handling = true;
    call->handle(call, c->net, str_of(call->name), (struct str){call->body.data, call->body.len});
    call->handling = false;
    return call->answered ? send_answer(call) : 0;
}

void http_call_answer(struct http_call *call, struct http_response *response) {
    call->answered = true;
    call->response = *response;
    if (call->conn == NULL)
        call_free(call);
    else if (!call->handling)
        lws_callback_on_writable(call->conn->wsi);
}

int http_call_writable(struct conn *c) {
    return c->call != NULL && c->call->answered ? send_answer(c->call) : 0;
}

void http_call_abandon(struct conn *c) {
    struct http_call *call = c->call;
    if (call == NULL)
        return;
    c->call = NULL;
    if (call->asked)
        c->listener->calls_open--;
    call->conn = NULL;
    if (!call->asked || call->answered)
        call_free(call);
}
