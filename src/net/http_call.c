/* Requests that have a body, or whose answer may come later. */
#include "http_call.h"

#include <libwebsockets.h>
#include <stdlib.h>

#include "conn.h"
#include "output.h"
#include "wslock/base/mem.h"

#define CALLS_MAX 16       /* per listener, fewer than its connections: /healthz needs some */
#define PART_TIME_MS 30000 /* for the client to take a part */
#define MARGIN_MS 1000     /* margin: the answer must come before the deadline */

struct http_call {
    struct conn *conn; /* NULL: the connection is gone */
    const struct http_route *route;
    char *name, *query;
    size_t expected; /* bytes of the body */
    bool handling;   /* inside the handler */
    bool asked;      /* the handler has been called */
    bool answered;
    bool old;                       /* HTTP/1.0: without chunks */
    struct http_response response;  /* when answered */
    const struct http_parts *parts; /* while it is answered in parts */
    void *parts_arg;
    bool chunked;
};

static void call_free(struct http_call *call) {
    mem_free(call->name);
    mem_free(call->query);
    if (call->answered) {
        http_response_fini(&call->response);
    }
    mem_free(call);
}

/* The length of the body. False: it is not acceptable, and response says why. */
static bool read_length(struct conn *c, size_t max, size_t *out, struct http_response *response) {
    char text[24], message[64], *end;
    unsigned long long len = 0;
    bool too_long = false, chunked = http_head_count(&c->head, "Transfer-Encoding") > 0;
    bool has_length = http_header(c, "Content-Length", text, sizeof text, &too_long);
    if (has_length) {
        len = strtoull(text, &end, 10);
    }
    *out = (size_t)len;
    if (chunked || (!has_length && !too_long)) {
        http_error(response, 411, "LENGTH_REQUIRED",
                   "the request needs a body with a Content-Length");
    } else if (has_length && (text[0] < '0' || text[0] > '9' || *end != '\0')) {
        http_error(response, 400, "INVALID_ARGUMENT", "Content-Length is not a number");
    } else if (too_long || len > max) {
        snprintf(message, sizeof message, "the body is longer than %zu KiB", max / 1024);
        http_error(response, 413, "BODY_TOO_LONG", message);
    } else if (len == 0) {
        http_error(response, 400, "INVALID_ARGUMENT", "the body is empty");
    } else {
        return true;
    }
    return false;
}

void http_call_begin(const struct http_request *request, const struct http_route *route,
                     struct http_response *response) {
    struct conn *c = request->conn;
    size_t len = 0;
    if (route->body_max > 0 && !read_length(c, route->body_max, &len, response)) {
        return;
    }
    struct http_call *call = mem_zalloc(sizeof *call);
    call->conn = c;
    call->route = route;
    call->name = str_dup(request->name);
    call->query = str_dup(request->query);
    call->expected = len;
    call->old = !str_eqz(c->head.version, "HTTP/1.1");
    c->call = call;
    c->phase = CONN_REQUEST;
    if (route->body_max > 0) { /* it is read: the next request follows it */
        c->keep = http_head_persists(&c->head);
    }
    response->later = true;
}

static void send_answer(struct http_call *call) {
    struct conn *c = call->conn;
    c->call = NULL;
    if (call->asked) {
        c->listener->calls_open--;
    }
    http_send(c, &call->response); /* frees its buffers */
    call->answered = false;
    call_free(call);
}

static void answer_busy(struct http_call *call, struct http_response *response) {
    http_error(response, 503, "TOO_MANY_REQUESTS", "too many requests are pending: try again");
    buf_append_str(&response->headers, "Retry-After: 1\r\n");
    http_call_answer(call, response);
}

static void ask(struct http_call *call, struct str body, struct http_response *response) {
    struct conn *c = call->conn;
    const struct http_request request = {
        .conn = c,
        .name = str_of(call->name),
        .query = str_of(call->query),
        .body = body,
        .call = call,
    };
    int64_t time_ms = c->net->parts.config->redis.command_timeout_ms + call->route->more_ms;
    call->asked = true;
    c->listener->calls_open++;
    /* A client may shut down its side after the request. libwebsockets would close the connection
     * if it read that. */
    conn_pause(c, true);
    conn_end_after(c, (uint64_t)(time_ms + MARGIN_MS));
    call->route->handle(&request, response);
    if (!response->later) {
        http_call_answer(call, response);
    }
}

void http_call_advance(struct conn *c) {
    struct http_call *call = c->call;
    struct http_response response;
    if (call->parts != NULL) { /* the connection ends with the answer */
        buf_reset(&c->rx);
        return;
    }
    if (c->rx.len < call->expected) {
        return;
    }
    struct buf body = conn_take(c, call->expected);
    http_response_init(&response);
    call->handling = true;
    if (c->listener->calls_open >= CALLS_MAX) {
        answer_busy(call, &response);
    } else {
        ask(call, (struct str){body.data, body.len}, &response);
    }
    call->handling = false;
    buf_fini(&body);
    if (call->answered) {
        send_answer(call);
    }
}

void http_call_answer(struct http_call *call, struct http_response *response) {
    call->answered = true;
    call->response = *response;
    if (call->conn == NULL) {
        call_free(call);
    } else if (!call->handling) {
        lws_callback_on_writable(call->conn->wsi);
    }
}

/* ---- answers in parts ---- */

/* The client has PART_TIME_MS to take what was written. True: it has taken it. */
static bool is_taken(struct conn *c) {
    if (c->ending) {
        return false;
    }
    if (conn_is_busy(c)) {
        conn_end_after(c, PART_TIME_MS);
        return false;
    }
    wheel_cancel(&c->timer);
    return true;
}

bool http_call_begin_parts(struct http_call *call, const char *type, bool waits,
                           const struct http_parts *parts, void *arg) {
    struct conn *c = call->conn;
    struct buf head;
    if (c == NULL) {
        call_free(call);
        return false;
    }
    call->parts = parts;
    call->parts_arg = arg;
    call->chunked = !call->old;
    c->settled = true;
    buf_init(&head);
    buf_printf(&head,
               "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: %s\r\nCache-Control: "
               "no-store\r\nX-Content-Type-Options: nosniff\r\n%s\r\n",
               type, call->chunked ? "Transfer-Encoding: chunked\r\n" : "");
    (void)conn_write(c, head.data, head.len);
    buf_fini(&head);
    (void)is_taken(c);
    if (waits) {
        conn_pause(c, false);
    }
    return true;
}

bool http_call_add_part(struct http_call *call, struct str part) {
    struct buf chunk;
    buf_init(&chunk);
    if (call->chunked) {
        buf_printf(&chunk, "%zx\r\n", part.len);
    }
    buf_append(&chunk, part.p, part.len);
    if (call->chunked) {
        buf_append_str(&chunk, "\r\n");
    }
    (void)conn_write(call->conn, chunk.data, chunk.len);
    buf_fini(&chunk);
    return is_taken(call->conn);
}

void http_call_end_parts(struct http_call *call, bool complete) {
    struct conn *c = call->conn;
    if (complete && call->chunked) {
        (void)conn_write(c, "0\r\n\r\n", 5);
    }
    c->call = NULL;
    c->listener->calls_open--;
    call_free(call);
    if (!c->ending) {
        conn_drain(c);
    }
}

/* ---- the connection ---- */

void http_call_writable(struct conn *c) {
    struct http_call *call = c->call;
    if (call == NULL) {
        return;
    }
    if (call->answered) {
        send_answer(call);
    } else if (call->parts != NULL && is_taken(c)) {
        call->parts->on_ready(call->parts_arg);
    }
}

void http_call_abandon(struct conn *c) {
    struct http_call *call = c->call;
    if (call == NULL) {
        return;
    }
    c->call = NULL;
    if (call->asked) {
        c->listener->calls_open--;
    }
    call->conn = NULL;
    if (call->parts != NULL) {
        call->parts->on_gone(call->parts_arg);
    }
    if (!call->asked || call->answered || call->parts != NULL) {
        call_free(call);
    }
}
