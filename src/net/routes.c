/* The table of routes of all listeners. Chooses the handler of a request. */
#include "routes.h"

#include "engineio.h"
#include "http_call.h"
#include "native.h"
#include "ops.h"
#include "ops_audit.h"
#include "ops_drain.h"
#include "ops_locks.h"
#include "ops_operate.h"
#include "ops_reload.h"
#include "ops_sessions.h"
#include "ops_verify.h"
#include "page.h"
#include "upgrade.h"
#include "wslock/lock/lock.h"

#define PATH_MAX_BYTES 1024
#define BODY_MAX 16384
#define AUDIT_TIME_MS 5000 /* the time that the audit may need to write a record */
#define READ_TIME_MS 1000  /* the time to answer what is read from the store */

#define ANY NULL     /* method or path */
#define WEBSOCKET "" /* as a method: an upgrade to it */
/* As paths: the configured ones. */
#define PATHS_NATIVE ""
#define PATHS_SOCKETIO "socketio"

/* The first row that matches counts. If rows have the path but not the method, the answer is 405;
 * if no row has the path, 404. On SITE_OPS only operators get the 404. */
static const struct http_route ROUTES[] = {
    {SITE_PUBLIC, ROLE_ANYONE, ANY, PATHS_SOCKETIO, engineio_take, 0, 0},
    {SITE_PUBLIC, ROLE_ANYONE, WEBSOCKET, ANY, native_take, 0, 0},
    {SITE_PUBLIC, ROLE_ANYONE, ANY, PATHS_NATIVE, native_take, 0, 0},
    {SITE_PUBLIC, ROLE_ANYONE, "GET", "/.well-known/wslock-jwks.json", page_ticket_keys, 0, 0},
    {SITE_PUBLIC, ROLE_ANYONE, "GET", "/wslock.js", page_client, 0, 0},
    {SITE_PUBLIC, ROLE_ANYONE, "GET", "/wslock/*", page_client, 0, 0},
    {SITE_DEV, ROLE_ANYONE, "GET", "/dev/token", page_dev_token, 0, 0},
    {SITE_DEV, ROLE_ANYONE, ANY, "/", page_file, 0, 0},
    {SITE_DEV, ROLE_ANYONE, ANY, "/*", page_file, 0, 0},
    {SITE_DEV, ROLE_ANYONE, ANY, "/demo/*", page_file, 0, 0},
    {SITE_OPS, ROLE_ANYONE, WEBSOCKET, ANY, http_not_found, 0, 0},
    {SITE_OPS, ROLE_ANYONE, "GET", "/healthz", ops_healthz, 0, 0},
    {SITE_OPS, ROLE_ANYONE, "GET", "/readyz", ops_readyz, 0, 0},
    {SITE_OPS, ROLE_ANYONE, "GET", "/metrics", ops_metrics, 0, 0},
    {SITE_OPS, ROLE_BROWSER, "GET", "/", page_dashboard, 0, 0},
    {SITE_OPS, ROLE_BROWSER, "GET", "/dashboard/*", page_dashboard, 0, 0},
    {SITE_OPS, ROLE_OPERATOR, "GET", "/v1/locks", ops_list_locks, 0, LOCK_LISTING_MS},
    {SITE_OPS, ROLE_OPERATOR, "GET", "/v1/locks/*", ops_inspect_lock, 0, READ_TIME_MS},
    {SITE_OPS, ROLE_OPERATOR, "POST", "/v1/locks/*/verify", ops_verify, BODY_MAX, 0},
    {SITE_OPS, ROLE_OPERATOR, "POST", "/v1/locks/*/takeover", ops_takeover, BODY_MAX,
     AUDIT_TIME_MS},
    {SITE_OPS, ROLE_OPERATOR, "DELETE", "/v1/locks/*", ops_release, BODY_MAX, AUDIT_TIME_MS},
    {SITE_OPS, ROLE_OPERATOR, "GET", "/v1/sessions", ops_list_sessions, 0, READ_TIME_MS},
    {SITE_OPS, ROLE_OPERATOR, "DELETE", "/v1/sessions", ops_end_user, BODY_MAX, AUDIT_TIME_MS},
    {SITE_OPS, ROLE_OPERATOR, "DELETE", "/v1/sessions/*", ops_end_session, BODY_MAX, AUDIT_TIME_MS},
    {SITE_OPS, ROLE_OPERATOR, "GET", "/v1/audit", ops_read_audit, 0, AUDIT_TIME_MS},
    {SITE_OPS, ROLE_OPERATOR, "POST", "/v1/drain", ops_drain, BODY_MAX, AUDIT_TIME_MS},
    {SITE_OPS, ROLE_OPERATOR, "POST", "/v1/undrain", ops_undrain, BODY_MAX, AUDIT_TIME_MS},
    {SITE_OPS, ROLE_OPERATOR, "POST", "/v1/reload", ops_reload, BODY_MAX, AUDIT_TIME_MS},
};

/* ---- the choice of a row ---- */

static bool is_site(const struct conn *c, enum http_site site) {
    if (c->listener->kind == LISTENER_OPS) {
        return site == SITE_OPS;
    }
    return site == SITE_PUBLIC || (site == SITE_DEV && c->net->parts.config->dev);
}

static bool fits_method(const struct http_head *head, const char *method) {
    if (method == ANY) {
        return true;
    }
    if (strcmp(method, WEBSOCKET) == 0) {
        return http_head_lists(head, "Upgrade", "websocket");
    }
    return str_eqz(head->method, method) ||
           (strcmp(method, "GET") == 0 && str_eqz(head->method, "HEAD"));
}

/* A name may be empty only if more of the pattern follows. */
static bool fits_pattern(struct http_request *request, const char *pattern) {
    struct str before, behind = str_of(pattern), path = request->path;
    if (!str_cut(&behind, '*', &before)) {
        return str_eq(path, behind);
    }
    if (path.len < before.len + behind.len || !str_eq((struct str){path.p, before.len}, before) ||
        !str_eq((struct str){path.p + path.len - behind.len, behind.len}, behind)) {
        return false;
    }
    struct str name = {path.p + before.len, path.len - before.len - behind.len};
    request->name = name;
    return name.len > 0 ? memchr(name.p, '/', name.len) == NULL : behind.len > 0;
}

static bool fits_path(struct http_request *request, const char *path) {
    if (path == ANY) {
        return true;
    }
    if (strcmp(path, PATHS_NATIVE) == 0) {
        return str_eqz(request->path, request->conn->net->parts.config->paths.native);
    }
    if (strcmp(path, PATHS_SOCKETIO) == 0) {
        return engineio_has_path(request->conn->net, request->path);
    }
    return fits_pattern(request, path);
}

static bool has_path(struct http_request *request, const struct http_route *route) {
    return is_site(request->conn, route->site) && fits_path(request, route->path);
}

/* NULL: no row matches. *other: then a row with the same path, or NULL. */
static const struct http_route *find(struct http_request *request,
                                     const struct http_route **other) {
    *other = NULL;
    for (size_t i = 0; i < ARRAY_LEN(ROUTES); i++) {
        const struct http_route *route = &ROUTES[i];
        if (!has_path(request, route)) {
            continue;
        }
        if (fits_method(&request->conn->head, route->method)) {
            return route;
        }
        if (route->path != ANY) {
            *other = route;
        }
    }
    return NULL;
}

/* ---- the answer ---- */

static struct http_request read_request(struct conn *c) {
    static char path[PATH_MAX_BYTES];
    struct http_request request = {.conn = c, .path = str_of(""), .query = c->head.query};
    if (http_url_decode(c->head.path, false, path, sizeof path)) {
        request.path = str_of(path);
    }
    return request;
}

static void refuse_method(struct http_request *request, struct http_response *response) {
    const char *separator = "Allow: ";
    http_error(response, 405, "METHOD_NOT_ALLOWED", "this path does not allow the method");
    for (size_t i = 0; i < ARRAY_LEN(ROUTES); i++) {
        if (ROUTES[i].path == ANY || !has_path(request, &ROUTES[i])) {
            continue;
        }
        buf_printf(&response->headers, "%s%s", separator, ROUTES[i].method);
        separator = ", ";
    }
    buf_append_str(&response->headers, "\r\n");
}

static void answer(struct http_request *request, const struct http_route *route,
                   const struct http_route *other, struct http_response *response) {
    const struct http_route *known = route != NULL ? route : other;
    bool is_ops = request->conn->listener->kind == LISTENER_OPS;
    enum http_role role = known != NULL ? known->role : is_ops ? ROLE_OPERATOR : ROLE_ANYONE;
    if (is_ops && ops_is_from_page(request, role, response)) {
        return;
    }
    if (role == ROLE_OPERATOR && !ops_authorize(request, response)) {
        return;
    }
    if (known == NULL) {
        http_not_found(request, response);
    } else if (route == NULL) {
        refuse_method(request, response);
    } else if (route->body_max > 0 || route->more_ms > 0) {
        http_call_begin(request, route, response);
    } else {
        route->handle(request, response);
    }
}

void routes_answer(struct conn *c) {
    const struct http_route *other;
    struct http_response response;
    if (engineio_owns(c)) {
        c->handshake_counted = true; /* it counts against the rate of its session */
    }
    if (c->listener->kind == LISTENER_PUBLIC && !upgrade_admit_request(c)) {
        upgrade_refuse(c, HANDSHAKE_RATE);
        return;
    }
    struct http_request request = read_request(c);
    const struct http_route *route = find(&request, &other);
    /* native_take checks this itself. */
    if ((route == NULL || route->handle != native_take) && !http_head_is_addressed(&c->head)) {
        upgrade_refuse(c, HANDSHAKE_ADDRESSING);
        return;
    }
    http_response_init(&response);
    answer(&request, route, other, &response);
    if (!response.later) {
        http_send(c, &response);
    }
}
