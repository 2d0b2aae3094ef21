/* The operations endpoint: handlers without a body, and what its handlers have in common. */
#include "ops.h"

#include <libwebsockets.h>
#include <openssl/crypto.h>
#include <strings.h>
#include <sys/socket.h>

#include "handshake.h"
#include "wslock/auth/auth.h"
#include "wslock/base/jsonw.h"
#include "wslock/metrics/metrics.h"
#include "wslock/session/gateway.h"
#include "wslock/session/verify.h"

#define REASONS_MAX 16
#define REASON_MAX 500 /* characters, of what an operator does */

void ops_healthz(const struct http_request *request, struct http_response *response) {
    (void)request;
    response->type = "application/json";
    buf_append_str(&response->body, "{\"ok\":true}");
}

void ops_readyz(const struct http_request *request, struct http_response *response) {
    const char *reasons[REASONS_MAX];
    struct jsonw w;
    size_t count = gateway_not_ready(request->conn->net->gateway, reasons, REASONS_MAX);
    response->type = "application/json";
    response->status = count == 0 ? 200 : 503;
    jsonw_init(&w, &response->body);
    jsonw_object_open(&w);
    jsonw_kcstr(&w, "instance", request->conn->net->parts.config->instance);
    jsonw_kbool(&w, "ready", count == 0);
    jsonw_key(&w, "reasons");
    jsonw_array_open(&w);
    for (size_t i = 0; i < count; i++) {
        jsonw_cstr(&w, reasons[i]);
    }
    jsonw_array_close(&w);
    jsonw_object_close(&w);
}

void ops_metrics(const struct http_request *request, struct http_response *response) {
    struct gateway *gateway = request->conn->net->gateway;
    const char *reason;
    gateway_collect_metrics(gateway);
    metrics_collect_process();
    metrics_set(METRIC_POLLING, (double)request->conn->net->polling_count, NULL, NULL);
    metrics_set(METRIC_READY, gateway_not_ready(gateway, &reason, 1) == 0 ? 1 : 0, NULL, NULL);
    response->type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_render(&response->body);
}

/* "127.0.0.1:9464", "[::1]", "localhost". HTTP/1.0 may lack a Host; browsers always send it. */
static bool is_address_or_localhost(struct str host) {
    struct str name = host, rest = host;
    struct address address;
    if (host.len > 0 && host.p[0] == '[') {
        rest.p++;
        rest.len--;
        return str_cut(&rest, ']', &name) && address_parse(name, &address);
    }
    (void)str_cut(&rest, ':', &name);
    return host.len == 0 || address_parse(name, &address) ||
           (name.len == 9 && strncasecmp(name.p, "localhost", 9) == 0);
}

/* Of the dashboard: the scheme is that of a proxy, or http. */
static bool is_own_origin(struct str origin, struct str host) {
    struct str scheme;
    return str_cut(&origin, ':', &scheme) &&
           (str_eqz(scheme, "http") || str_eqz(scheme, "https")) && origin.len == host.len + 2 &&
           memcmp(origin.p, "//", 2) == 0 && str_eq((struct str){origin.p + 2, host.len}, host) &&
           host.len > 0;
}

bool ops_is_from_page(const struct http_request *request, enum http_role role,
                      struct http_response *response) {
    const struct conn *c = request->conn;
    const struct str host = http_head_first(&c->head, "Host");
    const size_t origins = http_head_count(&c->head, "Origin");
    const bool is_tcp = c->listener->unix_path == NULL;
    const bool is_named = is_tcp && !is_address_or_localhost(host);
    if (origins > 0 && (origins > 1 || !is_tcp || is_named ||
                        !is_own_origin(http_head_first(&c->head, "Origin"), host))) {
        http_error(response, 403, "FORBIDDEN",
                   "only the dashboard may use the operations endpoint: the request has the Origin "
                   "of another page");
        return true;
    }
    if (role != ROLE_ANYONE && is_named) {
        http_error(response, 403, "FORBIDDEN", "Host must be an IP address or localhost");
        return true;
    }
    return false;
}

/* TCP: by the token. Unix socket: the mode of its file has decided. */
bool ops_authorize(const struct http_request *request, struct http_response *response) {
    struct net *n = request->conn->net;
    char authorization[AUTH_MAX_TOKEN_BYTES];
    struct str token = {NULL, 0};
    if (request->conn->listener->unix_path != NULL) {
        return true;
    }
    if (n->ops_token == NULL) {
        http_error(response, 403, "FORBIDDEN", "ops.tokenFile is not configured");
        return false;
    }
    if (http_header(request->conn, "Authorization", authorization, sizeof authorization, NULL)) {
        handshake_bearer(str_of(authorization), &token);
    }
    if (token.len != strlen(n->ops_token) || CRYPTO_memcmp(token.p, n->ops_token, token.len) != 0) {
        http_error(response, 401, "UNAUTHENTICATED",
                   "the request needs the token of ops.tokenFile");
        buf_append_str(&response->headers, "WWW-Authenticate: Bearer\r\n");
        return false;
    }
    return true;
}

bool ops_read_resource(const struct http_request *request, struct wire_resource *out,
                       struct http_response *response) {
    struct net *n = request->conn->net;
    if (!wire_resource_parse(request->name, n->parts.config->reject_two_part_ids, out)) {
        http_error(response, 400, "INVALID_RESOURCE_ID",
                   "the resource must be type:id or type:id:child");
        return false;
    }
    if (!gateway_knows_resource(n->gateway, out)) {
        http_error(response, 404, "UNKNOWN_RESOURCE_TYPE", "there is no such resource type");
        return false;
    }
    return true;
}

bool ops_read_text(const json_t *body, const char *key, struct str *out) {
    const json_t *value = json_object_get(body, key);
    *out = jsonr_str(value);
    return out->len > 0 && memchr(out->p, '\0', out->len) == NULL;
}

const char *ops_read_operator(const json_t *body, bool needs_reason, struct lock_operation *out) {
    if (body == NULL) {
        return OPS_BODY_FORM;
    }
    if ((needs_reason || json_object_get(body, "reason") != NULL) &&
        (!ops_read_text(body, "reason", &out->reason) ||
         utf8_length(out->reason.p, out->reason.len) > REASON_MAX)) {
        return "reason must be a string of 1 to 500 characters without U+0000";
    }
    if (!ops_read_text(body, "actor", &out->actor) || out->actor.len > OPS_ID_MAX) {
        return "actor must be a string of 1 to 256 bytes without U+0000";
    }
    return NULL;
}

void ops_read_origin(const struct conn *c, char address[ADDRESS_TEXT_MAX],
                     struct lock_operation *out) {
    struct ucred peer;
    socklen_t len = sizeof peer;
    out->uid = -1;
    if (c->listener->unix_path == NULL) {
        address_format(&c->peer, address);
        out->address = str_of(address);
    } else if (getsockopt(lws_get_socket_fd(c->wsi), SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
        out->uid = peer.uid;
    }
}

void ops_begin_object(struct http_response *response, struct jsonw *w) {
    response->type = "application/json";
    buf_append_str(&response->headers, "Cache-Control: no-store\r\n");
    jsonw_init(w, &response->body);
    jsonw_object_open(w);
}

void ops_refuse_busy(struct http_response *response) {
    http_error(response, 503, "TOO_MANY_REQUESTS", "too many requests are pending: try again");
    buf_append_str(&response->headers, "Retry-After: 1\r\n");
}

void ops_put_person(struct jsonw *w, const char *key, struct str user_id, struct str username,
                    int64_t token) {
    jsonw_key(w, key);
    jsonw_object_open(w);
    jsonw_kstr(w, "userId", user_id);
    jsonw_kstr(w, "username", username.len > 0 ? username : user_id);
    if (token != 0) {
        jsonw_ki64(w, "token", token);
    }
    jsonw_object_close(w);
}
