/* The operations endpoint's requests that have a body: which path is answered by whom. */
#include "http.h"
#include "wslock/session/verify.h"

#define AUDIT_TIME_MS 5000 /* that the audit may take to have something on disk */

/* The path is prefix, a name without a slash in it, suffix. */
struct call_route {
    enum http_method method;
    const char *prefix, *suffix;
    http_call_handler handle;
    int64_t more_ms; /* what the answer may take beside the store */
};

static const struct call_route ROUTES[] = {
    {HTTP_POST, "/v1/locks/", "/verify", ops_verify, 0},
    {HTTP_POST, "/v1/locks/", "/takeover", ops_takeover, AUDIT_TIME_MS},
    {HTTP_DELETE, "/v1/locks/", "", ops_release, AUDIT_TIME_MS},
    {HTTP_DELETE, "/v1/sessions/", "", ops_end_session, AUDIT_TIME_MS},
};

static bool matches(const struct call_route *route, struct str path, struct str *name) {
    const size_t prefix = strlen(route->prefix), suffix = strlen(route->suffix);
    if (path.len < prefix + suffix || memcmp(path.p, route->prefix, prefix) != 0 ||
        memcmp(path.p + path.len - suffix, route->suffix, suffix) != 0)
        return false;
    *name = (struct str){path.p + prefix, path.len - prefix - suffix};
    return (name->len > 0 || suffix > 0) && memchr(name->p, '/', name->len) == NULL;
}

bool ops_read_resource(const struct net *n, struct str name, struct wire_resource *out,
                       struct http_response *response) {
    if (!wire_resource_parse(name, n->parts.config->reject_two_part_ids, out)) {
        http_error(response, 400, "INVALID_RESOURCE_ID",
                   "the resource must be type:id or type:id:child");
        return false;
    }
    if (!gateway_knows_type(n->gateway, wire_resource_type(out))) {
        http_error(response, 404, "UNKNOWN_RESOURCE_TYPE", "there is no such resource type");
        return false;
    }
    return true;
}

void ops_put_person(struct jsonw *w, const char *key, struct str user_id, struct str username,
                    int64_t token) {
    jsonw_key(w, key);
    jsonw_object_open(w);
    jsonw_kstr(w, "userId", user_id);
    jsonw_kstr(w, "username", username.len > 0 ? username : user_id);
    if (token != 0)
        jsonw_ki64(w, "token", token);
    jsonw_object_close(w);
}

static void method_not_allowed(const struct call_route *route, struct http_response *response) {
    http_error(response, 405, "METHOD_NOT_ALLOWED", "this path has no such method");
    buf_printf(&response->headers, "Allow: %s\r\n", http_method_name(route->method));
}

bool ops_take_call(struct conn *c) {
    struct http_request request;
    struct http_response response;
    const struct call_route *route = NULL;
    struct str name;
    http_request_read(c, &request);
    for (size_t i = 0; i < ARRAY_LEN(ROUTES) && route == NULL; i++)
        if (matches(&ROUTES[i], request.path, &name))
            route = &ROUTES[i];
    if (route == NULL)
        return false;
    http_response_init(&response);
    bool allowed = ops_authorize(&request, &response);
    if (allowed && request.method == route->method) {
        http_call_begin(c, name, route->handle,
                        c->net->parts.config->redis.command_timeout_ms + route->more_ms);
        return true;
    }
    if (allowed)
        method_not_allowed(route, &response);
    http_send(c, &response, request.method == HTTP_HEAD);
    return true;
}
