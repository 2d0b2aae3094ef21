#include "http.h"

#include <assert.h>

#include "wslock/base/jsonw.h"

#define PATH_MAX_BYTES 1024

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

static const char *const METHOD_NAMES[] = {
#define X(name) #name,
    HTTP_METHODS(X)
#undef X
};

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

/* text: the head, c->scan.at bytes of it, and what has come behind it. */
static void take_head(struct conn *c, const struct buf *text) {
    if (http_head_parse((struct str){text->data, c->scan.at}, &c->head))
        conn_route(c);
    else
        refuse_head(c, HANDSHAKE_REQUEST);
    char *rest = text->data + c->scan.at;
    size_t len = text->len - c->scan.at;
    if (c->phase == CONN_REQUEST && len == 0)
        ask_for_body(c);
    c->head = (struct http_head){.fields = {NULL, 0}};
    if (c->phase == CONN_REQUEST)
        http_call_body(c, rest, len);
    else if (c->phase == CONN_WEBSOCKET)
        websocket_receive(c, rest, len);
}

void http_receive(struct conn *c, const char *data, size_t len) {
    size_t max = (size_t)c->net->parts.config->limits.max_header_bytes;
    buf_append(&c->rx, data, len);
    enum http_head_state state = http_head_scan(&c->scan, (struct str){c->rx.data, c->rx.len});
    if (state == HTTP_HEAD_MORE && c->scan.at < max)
        return;
    struct buf text = c->rx; /* what follows the head may need rx */
    buf_init(&c->rx);
    if (state == HTTP_HEAD_BAD)
        refuse_head(c, HANDSHAKE_REQUEST);
    else if (state == HTTP_HEAD_MORE || c->scan.at > max)
        refuse_head(c, HANDSHAKE_HEADERS);
    else
        take_head(c, &text);
    buf_fini(&text);
}

void http_request_read(struct conn *c, struct http_request *out) {
    static char path[PATH_MAX_BYTES];
    *out = (struct http_request){.conn = c, .method = HTTP_OTHER};
    for (size_t i = 0; i < ARRAY_LEN(METHOD_NAMES); i++) {
        if (str_eqz(c->head.method, METHOD_NAMES[i]))
            out->method = (enum http_method)i;
    }
    if (http_url_decode(c->head.path, false, path, sizeof path))
        out->path = str_of(path);
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

const char *http_method_name(enum http_method method) {
    return METHOD_NAMES[method];
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

void http_send(struct conn *c, struct http_response *response, bool head_only) {
    struct buf out;
    c->settled = true;
    buf_init(&out);
    buf_printf(&out, "HTTP/1.1 %d %s\r\nConnection: close\r\n", response->status,
               reason_of(response->status));
    if (response->type != NULL)
        buf_printf(&out, "Content-Type: %s\r\n", response->type);
    buf_printf(&out, "Content-Length: %zu\r\nX-Content-Type-Options: nosniff\r\n",
               response->body.len);
    buf_append(&out, response->headers.data, response->headers.len);
    buf_append_str(&out, "\r\n");
    if (!head_only)
        buf_append(&out, response->body.data, response->body.len);
    if (conn_write(c, out.data, out.len))
        conn_drain(c);
    else
        c->phase = CONN_DRAINING;
    buf_fini(&out);
    http_response_fini(response);
}

static bool serves(const struct http_route *route, enum http_method method) {
    return route->method == method || (route->method == HTTP_GET && method == HTTP_HEAD);
}

static void method_not_allowed(const struct http_route *route, struct http_response *response) {
    http_error(response, 405, "METHOD_NOT_ALLOWED", "this path has no such method");
    buf_printf(&response->headers, "Allow: %s\r\n", METHOD_NAMES[route->method]);
}

void http_serve(struct conn *c, const struct http_site *site) {
    struct http_request request;
    struct http_response response;
    const struct http_route *other = NULL;
    http_request_read(c, &request);
    http_response_init(&response);
    bool head_only = request.method == HTTP_HEAD;
    for (size_t i = 0; i < site->count; i++) {
        const struct http_route *route = &site->routes[i];
        if (!str_eqz(request.path, route->path))
            continue;
        if (serves(route, request.method)) {
            route->handle(&request, &response);
            http_send(c, &response, head_only);
            return;
        }
        other = route;
    }
    if (other != NULL)
        method_not_allowed(other, &response);
    else
        site->fallback(&request, &response);
    http_send(c, &response, head_only);
}
