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
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < ARRAY_LEN(REASONS); i++) {
        if (REASONS[i].status == status)
            return REASONS[i].reason;
    }
    return "Unknown";
}

static const enum lws_token_indexes METHOD_TOKENS[] = {
#define X(name, token) [HTTP_##name] = token,
    HTTP_METHODS(X)
#undef X
};

static const char *const METHOD_NAMES[] = {
#define X(name, token) [HTTP_##name] = #name,
    HTTP_METHODS(X)
#undef X
};

void http_request_read(struct conn *c, struct http_request *out) {
    static char path[PATH_MAX_BYTES];
    *out = (struct http_request){.conn = c, .method = HTTP_OTHER};
    for (size_t i = 0; i < ARRAY_LEN(METHOD_TOKENS); i++) {
        if (lws_hdr_total_length(c->wsi, METHOD_TOKENS[i]) <= 0)
            continue;
        out->method = (enum http_method)i;
        if (http_header(c, METHOD_TOKENS[i], path, sizeof path, NULL))
            out->path = str_of(path);
        return;
    }
}

bool http_header(struct conn *c, enum lws_token_indexes token, char *out, size_t size,
                 bool *too_long) {
    int len = lws_hdr_copy(c->wsi, out, (int)size, token);
    if (len < 0 && too_long != NULL)
        *too_long = true;
    return len > 0;
}

bool http_header_is_empty(struct conn *c, enum lws_token_indexes token) {
    char nothing[1];
    return lws_hdr_copy_fragment(c->wsi, nothing, sizeof nothing, token, 0) == 0;
}

bool http_custom_header(struct conn *c, const char *name, char *out, size_t size) {
    return lws_hdr_custom_copy(c->wsi, out, (int)size, name, (int)strlen(name)) > 0;
}

bool http_parameter(struct conn *c, const char *name, char *out, size_t size) {
    size_t name_len = strlen(name);
    char part[1024];
    int len;
    for (int i = 0;
         (len = lws_hdr_copy_fragment(c->wsi, part, sizeof part, WSI_TOKEN_HTTP_URI_ARGS, i)) >= 0;
         i++) {
        if ((size_t)len <= name_len || part[name_len] != '=' || memcmp(part, name, name_len) != 0)
            continue;
        size_t value_len = (size_t)len - name_len - 1;
        if (value_len >= size)
            return false;
        memcpy(out, part + name_len + 1, value_len);
        out[value_len] = '\0';
        return true;
    }
    return false;
}

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

int http_send(struct conn *c, struct http_response *response, bool head_only) {
    struct buf out;
    static const char HEADROOM[LWS_PRE];
    c->settled = true;
    buf_init(&out);
    buf_append(&out, HEADROOM, sizeof HEADROOM);
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
    /* What the socket does not take now, libwebsockets keeps and sends before it closes. */
    lws_write(c->wsi, (unsigned char *)out.data + LWS_PRE, out.len - LWS_PRE, LWS_WRITE_HTTP);
    buf_fini(&out);
    http_response_fini(response);
    return -1;
}

static bool serves(const struct http_route *route, enum http_method method) {
    return route->method == method || (route->method == HTTP_GET && method == HTTP_HEAD);
}

static void method_not_allowed(const struct http_route *route, struct http_response *response) {
    http_error(response, 405, "METHOD_NOT_ALLOWED", "this path has no such method");
    buf_printf(&response->headers, "Allow: %s\r\n", METHOD_NAMES[route->method]);
}

int http_serve(struct conn *c, const struct http_site *site) {
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
            return http_send(c, &response, head_only);
        }
        other = route;
    }
    if (other != NULL)
        method_not_allowed(other, &response);
    else
        site->fallback(&request, &response);
    return http_send(c, &response, head_only);
}
