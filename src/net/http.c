/* Reads the fields and parameters of a request; sends its response. */
#include "http.h"

#include <libwebsockets.h>

#include "conn.h"
#include "idle.h"
#include "output.h"
#include "wslock/base/jsonw.h"
#include "wslock/base/mem.h"

/* ---- the request ---- */

bool http_header(const struct conn *c, const char *name, char *out, size_t size, bool *too_long) {
    struct str rest = c->head.fields, value;
    size_t len = 0;
    out[0] = '\0';
    while (http_head_next(&rest, name, &value)) {
        if (len + value.len + 2 > size) {
            out[0] = '\0';
            if (too_long != NULL) {
                *too_long = true;
            }
            return false;
        }
        if (len > 0) {
            out[len++] = ',';
        }
        if (value.len > 0) {
            memcpy(out + len, value.p, value.len);
        }
        len += value.len;
        out[len] = '\0';
    }
    return len > 0;
}

bool http_parameter(const struct http_request *request, const char *name, char *out, size_t size) {
    struct str rest = request->query, part, key;
    while (http_list_next(&rest, '&', &part)) {
        if (str_cut(&part, '=', &key) && str_eqz(key, name)) {
            return http_url_decode(part, true, out, size);
        }
    }
    return false;
}

/* ---- the response ---- */

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
    http_error(response, 404, "NOT_FOUND", "there is no such path");
}

/* A turn of the loop answers at most one request, and only after the last response was sent. */
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
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < ARRAY_LEN(REASONS); i++) {
        if (REASONS[i].status == status) {
            return REASONS[i].reason;
        }
    }
    return "Unknown";
}

void http_send(struct conn *c, struct http_response *response) {
    bool keep = c->keep && idle_may_begin(c);
    struct buf out;
    c->settled = true;
    buf_init(&out);
    buf_printf(&out, "HTTP/1.1 %d %s\r\n", response->status, reason_of(response->status));
    if (!keep) {
        buf_append_str(&out, "Connection: close\r\n");
    }
    if (response->type != NULL) {
        buf_printf(&out, "Content-Type: %s\r\n", response->type);
    }
    buf_printf(&out, "Content-Length: %zu\r\nX-Content-Type-Options: nosniff\r\n",
               response->body.len);
    buf_append_str(&out, c->cors != NULL ? c->cors : "");
    buf_append(&out, response->headers.data, response->headers.len);
    buf_append_str(&out, "\r\n");
    if (!c->bodiless) {
        buf_append(&out, response->body.data, response->body.len);
    }
    if (!conn_write(c, out.data, out.len)) {
        c->phase = CONN_DRAINING;
    } else if (keep) {
        await_next(c);
    } else {
        conn_pause(c, false);
        conn_drain(c);
    }
    mem_free(c->cors);
    c->cors = NULL;
    buf_fini(&out);
    http_response_fini(response);
}
