/* Reads requests, sends responses, and continues with the next request. */
#include "http.h"

#include <assert.h>

#include "wslock/base/jsonw.h"

static const char *reason_of(int status) {
    static const struct {
        int status;
        const char *reason;
    } REASONS[] = {
        {200, "OK"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < ARRAY_LEN(REASONS); i++) {
        if (REASONS[i].status == status)
            return REASONS[i].reason;
    }
    return "Unknown";
}

/* ---- the request ---- */

static void refuse_head(struct conn *c, enum handshake_verdict verdict) {
    if (c->listener->kind == LISTENER_PUBLIC && !upgrade_admit_request(c))
        verdict = HANDSHAKE_RATE;
    upgrade_refuse(c, verdict);
}

/* RFC 9110 §10.1.1: the client holds the body back until it gets this, or has waited long enough.
 */
static void ask_for_body(struct conn *c) {
    static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (str_eqz(c->head.version, "HTTP/1.1") && http_head_lists(&c->head, "Expect", "100-continue"))
        (void)conn_write(c, CONTINUE, sizeof CONTINUE - 1);
}

static void take_rest_as_frames(struct conn *c) {
    struct buf rest = conn_take(c, c->rx.len);
    if (rest.len > 0)
        websocket_receive(c, rest.data, rest.len);
    buf_fini(&rest);
}

static void take_head(struct conn *c, struct str text) {
    if (http_head_parse(text, &c->head)) {
        c->keep = http_head_persists(&c->head) && !http_head_has_body(&c->head);
        http_route(c);
    } else {
        refuse_head(c, HANDSHAKE_REQUEST);
    }
    if (c->phase == CONN_REQUEST && c->rx.len == 0)
        ask_for_body(c);
    c->head = (struct http_head){.fields = {NULL, 0}};
    if (c->phase == CONN_REQUEST)
        http_call_advance(c);
    else if (c->phase == CONN_WEBSOCKET)
        take_rest_as_frames(c);
}

static void advance_head(struct conn *c) {
    size_t max = (size_t)c->net->parts.config->limits.max_header_bytes;
    enum http_head_state state = http_head_scan(&c->scan, (struct str){c->rx.data, c->rx.len});
    size_t len = c->scan.at;
    if (state == HTTP_HEAD_MORE && len < max)
        return;
    struct buf text = conn_take(c, len); /* what follows it may need rx */
    c->scan = (struct http_head_scan){.at = 0};
    if (state == HTTP_HEAD_BAD)
        refuse_head(c, HANDSHAKE_REQUEST);
    else if (state == HTTP_HEAD_MORE || len > max)
        refuse_head(c, HANDSHAKE_HEADERS);
    else
        take_head(c, (struct str){text.data, len});
    buf_fini(&text);
}

void http_receive(struct conn *c, const char *data, size_t len) {
    buf_append(&c->rx, data, len);
    if (c->paused)
        return;
    if (!list_empty(&c->idle))
        conn_await_request(c);
    if (c->phase == CONN_HEAD)
        advance_head(c);
    else
        http_call_advance(c);
}

void http_resume(struct conn *c) {
    if (!c->paused)
        return;
    conn_pause(c, false);
    if (c->rx.len == 0) {
        idle_begin(c);
        return;
    }
    conn_await_request(c);
    advance_head(c);
}

bool http_header(const struct conn *c, const char *name, char *out, size_t size, bool *too_long) {
    struct str rest = c->head.fields, value;
    size_t len = 0;
    out[0] = '\0';
    while (http_head_next(&rest, name, &value)) {
        if (len + value.len + 2 > size) {
            out[0] = '\0';
            if (too_long != NULL)
                *too_long = true;
            return false;
        }
        if (len > 0)
            out[len++] = ',';
        if (value.len > 0)
            memcpy(out + len, value.p, value.len);
        len += value.len;
        out[len] = '\0';
    }
    return len > 0;
}

bool http_parameter(const struct conn *c, const char *name, char *out, size_t size) {
    struct str rest = c->head.query, part, key;
    while (http_list_next(&rest, '&', &part)) {
        if (str_cut(&part, '=', &key) && str_eqz(key, name))
            return http_url_decode(part, true, out, size);
    }
    return false;
}

/* ---- the answer ---- */

void http_response_init(struct http_response *response) {
    *response = (struct http_response){.status = 200};
    buf_init(&response->headers);
    buf_init(&response->body);
}

void http_response_fini(struct http_response *response) {
    buf_fini(&response->headers);
    buf_fini(&response->body);
}

void http_error(struct http_response *response, int status, const char *code, const char *message) {
    struct jsonw w;
    response->status = status;
    response->type = "application/json";
    buf_reset(&response->body);
    jsonw_init(&w, &response->body);
    jsonw_object_open(&w);
    jsonw_key(&w, "error");
    jsonw_object_open(&w);
    jsonw_kcstr(&w, "code", code);
    jsonw_kcstr(&w, "message", message);
    jsonw_object_close(&w);
    jsonw_object_close(&w);
}

void http_not_found(const struct http_request *request, struct http_response *response) {
    (void)request;
    http_error(response, 404, "NOT_FOUND", "there is nothing at this path");
}

/* One request a turn of the loop, and none before the last answer has gone out. */
static void await_next(struct conn *c) {
    c->phase = CONN_HEAD;
    conn_pause(c, c->rx.len > 0 || conn_is_busy(c));
    if (!c->paused) {
        idle_begin(c);
        return;
    }
    conn_end_after(c, NET_HANDSHAKE_TIMEOUT_MS);
    lws_callback_on_writable(c->wsi);
}

void http_send(struct conn *c, struct http_response *response) {
    bool keep = c->keep && idle_may_begin(c);
    struct buf out;
    c->settled = true;
    buf_init(&out);
    buf_printf(&out, "HTTP/1.1 %d %s\r\n", response->status, reason_of(response->status));
    if (!keep)
        buf_append_str(&out, "Connection: close\r\n");
    if (response->type != NULL)
        buf_printf(&out, "Content-Type: %s\r\n", response->type);
    buf_printf(&out, "Content-Length: %zu\r\nX-Content-Type-Options: nosniff\r\n",
               response->body.len);
    buf_append(&out, response->headers.data, response->headers.len);
    buf_append_str(&out, "\r\n");
    if (!str_eqz(c->head.method, "HEAD"))
        buf_append(&out, response->body.data, response->body.len);
    if (!conn_write(c, out.data, out.len)) {
        c->phase = CONN_DRAINING;
    } else if (keep) {
        await_next(c);
    } else {
        conn_pause(c, false);
        conn_drain(c);
    }
    buf_fini(&out);
    http_response_fini(response);
}
