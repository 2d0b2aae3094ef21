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

static void refuse(struct conn *c, int status, const char *code, const char *message) {
    struct http_response response;
    http_response_init(&response);
    http_error(&response, status, code, message);
    http_send(c, &response, false);
}

static void refuse_busy(struct conn *c) {
    struct http_response response;
    http_response_init(&response);
    http_error(&response, 503, "TOO_MANY_REQUESTS",
               "as many requests as may are being answered: try again");
    buf_append_str(&response.headers, "Retry-After: 1\r\n");
    http_send(c, &response, false);
}

/* False: the refusal has been sent. */
static bool read_length(struct conn *c, size_t *out) {
    char text[24], *end;
    unsigned long long len = 0;
    bool too_long = false, chunked = http_head_count(&c->head, "Transfer-Encoding") > 0;
    bool has_length = http_header(c, "Content-Length", text, sizeof text, &too_long);
    if (has_length)
        len = strtoull(text, &end, 10);
    if (chunked || (!has_length && !too_long))
        refuse(c, 411, "LENGTH_REQUIRED", "this needs a body with its Content-Length");
    else if (has_length && (text[0] < '0' || text[0] > '9' || *end != '\0'))
        refuse(c, 400, "INVALID_ARGUMENT", "Content-Length is no number");
    else if (too_long || len > HTTP_CALL_BODY_MAX)
        refuse(c, 413, "BODY_TOO_LONG", "the body is longer than 16 KiB");
    else if (len == 0)
        refuse(c, 400, "INVALID_ARGUMENT", "the body is empty");
    *out = (size_t)len;
    return c->phase == CONN_HEAD;
}

void http_call_begin(struct conn *c, struct str name, http_call_handler handle, int64_t time_ms) {
    size_t len;
    if (!read_length(c, &len))
        return;
    struct http_call *call = mem_zalloc(sizeof *call);
    call->conn = c;
    call->handle = handle;
    call->time_ms = time_ms;
    call->name = str_dup(name);
    call->expected = len;
    buf_init(&call->body);
    c->call = call;
    c->phase = CONN_REQUEST;
}

struct conn *http_call_conn(const struct http_call *call) {
    return call->conn;
}

static void send_answer(struct http_call *call) {
    struct conn *c = call->conn;
    c->call = NULL;
    if (call->asked) {
        c->listener->calls_open--;
        lws_rx_flow_control(c->wsi, 1);
    }
    http_send(c, &call->response, false); /* frees its buffers */
    call->answered = false;
    call_free(call);
}

static void on_too_slow(struct wheel_timer *timer) {
    conn_kill(CONTAINER_OF(timer, struct conn, timer));
}

static void ask(struct conn *c) {
    struct http_call *call = c->call;
    if (c->listener->calls_open >= NET_OPS_CALLS) {
        c->call = NULL;
        call_free(call);
        refuse_busy(c);
        return;
    }
    c->listener->calls_open++;
    /* A client may end its side behind the request: libwebsockets would close where it reads that.
     */
    lws_rx_flow_control(c->wsi, 0);
    wheel_set(c->net->parts.wheel, &c->timer, (uint64_t)(call->time_ms + TIME_MORE_MS),
              on_too_slow);
    call->asked = call->handling = true;
    call->handle(call, c->net, str_of(call->name), (struct str){call->body.data, call->body.len});
    call->handling = false;
    if (call->answered)
        send_answer(call);
}

/* What comes behind the body is passed over: the connection ends with the answer. */
void http_call_body(struct conn *c, const char *data, size_t len) {
    struct http_call *call = c->call;
    if (call == NULL || call->asked)
        return;
    size_t missing = call->expected - call->body.len;
    buf_append(&call->body, data, len < missing ? len : missing);
    if (call->body.len == call->expected)
        ask(c);
}

void http_call_answer(struct http_call *call, struct http_response *response) {
    call->answered = true;
    call->response = *response;
    if (call->conn == NULL)
        call_free(call);
    else if (!call->handling)
        lws_callback_on_writable(call->conn->wsi);
}

void http_call_writable(struct conn *c) {
    if (c->call != NULL && c->call->answered)
        send_answer(c->call);
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
