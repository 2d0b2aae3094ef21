/* Pages: the dashboard, with --dev the demo page and its tokens; the JavaScript client; the ticket
 * keys. */
#include "page.h"

#include "web_files.h"
#include "wslock/auth/auth.h"
#include "wslock/auth/sign.h"
#include "wslock/base/clock.h"
#include "wslock/base/jsonw.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/session/verify.h"

#define DEV_TOKEN_TTL_MS (12 * 3600 * 1000)

#define PAGE_HEADERS "Cache-Control: no-cache\r\nReferrer-Policy: no-referrer\r\n"

static const char DEMO_HEADERS[] =
    PAGE_HEADERS "Content-Security-Policy: default-src 'self'; connect-src 'self' ws: wss:; "
                 "frame-ancestors 'self'; base-uri 'none'; form-action 'none'\r\n";

/* Pages of any origin may import it: it is public, and knows nothing of who loads it. */
static const char CLIENT_HEADERS[] = PAGE_HEADERS "Access-Control-Allow-Origin: *\r\n"
                                                  "Cross-Origin-Resource-Policy: cross-origin\r\n";

/* Nothing of another site, nothing inline, in no frame. */
static const char DASHBOARD_HEADERS[] = PAGE_HEADERS
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

/* After the network was lost the demo page asks for a token. A browser would send that request on
 * an old connection, which may be dead. */
static void end_connection(const struct http_request *request) {
    if (request->conn->net->parts.config->dev) {
        request->conn->keep = false;
    }
}

static void answer_file(const struct http_request *request, const struct web_file *file,
                        const char *headers, struct http_response *response) {
    char known[80];
    while (file->path != NULL && !str_eqz(request->path, file->path)) {
        file++;
    }
    if (file->path == NULL) {
        http_not_found(request, response);
        return;
    }
    buf_append_str(&response->headers, headers);
    buf_printf(&response->headers, "ETag: %s\r\n", file->etag);
    if (http_header(request->conn, "If-None-Match", known, sizeof known, NULL) &&
        strcmp(known, file->etag) == 0) {
        response->status = 304;
        return;
    }
    response->type = file->type;
    buf_append(&response->body, file->data, file->len);
}

void page_client(const struct http_request *request, struct http_response *response) {
    end_connection(request);
    answer_file(request, WEB_FILES, CLIENT_HEADERS, response);
}

void page_file(const struct http_request *request, struct http_response *response) {
    end_connection(request);
    if (str_eqz(request->conn->head.method, "GET") || str_eqz(request->conn->head.method, "HEAD")) {
        answer_file(request, WEB_FILES, DEMO_HEADERS, response);
    } else {
        http_not_found(request, response);
    }
}

/* Over the unix socket there is no token, which protects against foreign pages. */
void page_dashboard(const struct http_request *request, struct http_response *response) {
    if (request->conn->listener->unix_path != NULL) {
        http_error(response, 404, "NOT_FOUND", "the dashboard is served on ops.address only");
    } else {
        answer_file(request, DASHBOARD_FILES, DASHBOARD_HEADERS, response);
    }
}

/* host may have a port. Protects against DNS rebinding, where another name points to this machine.
 */
static bool is_loopback_name(const char *host) {
    static const char *const NAMES[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        size_t len = strlen(NAMES[i]);
        if (strncmp(host, NAMES[i], len) == 0 && (host[len] == '\0' || host[len] == ':')) {
            return true;
        }
    }
    return false;
}

/* Only the demo page: browsers mark the requests of other sites. */
static bool is_same_origin(struct conn *c, const char *host) {
    char site[32], origin[300], own[300];
    if (http_header(c, "Sec-Fetch-Site", site, sizeof site, NULL)) {
        return strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
    }
    bool too_long = false;
    if (!http_header(c, "Origin", origin, sizeof origin, &too_long)) {
        return !too_long;
    }
    snprintf(own, sizeof own, "http://%s", host);
    return strcmp(origin, own) == 0;
}

static char *make_token(const struct http_request *request, const char *user, char **problem) {
    const struct config *config = request->conn->net->parts.config;
    char name[AUTH_MAX_NAME_BYTES + 1], admin[8];
    const char *roles[1];
    struct sign_request sign = {
        .user_id = user,
        .issued_unix_ms = clock_wall_ms(),
        .ttl_ms = DEV_TOKEN_TTL_MS,
    };
    if (http_parameter(request, "name", name, sizeof name)) {
        sign.username = name;
    }
    if (http_parameter(request, "admin", admin, sizeof admin) && strcmp(admin, "1") == 0 &&
        config->auth.admin_roles.count > 0) {
        roles[0] = config->auth.admin_roles.items[0];
        sign.roles = roles;
        sign.role_count = 1;
    }
    const struct config_key *key = sign_find_key(config);
    return key != NULL ? sign_token(config, key, &sign, problem) : NULL;
}

void page_dev_token(const struct http_request *request, struct http_response *response) {
    struct conn *c = request->conn;
    char host[256], user[AUTH_MAX_NAME_BYTES + 1];
    char *problem = NULL;
    struct jsonw w;
    end_connection(request);
    buf_append_str(&response->headers, "Cache-Control: no-store\r\n");
    if (!http_header(c, "Host", host, sizeof host, NULL) || !is_loopback_name(host) ||
        !is_same_origin(c, host)) {
        http_error(response, 403, "FORBIDDEN",
                   "only the demo page on this machine may request tokens");
        return;
    }
    if (!http_parameter(request, "user", user, sizeof user) || user[0] == '\0' ||
        !utf8_valid(user, strlen(user))) {
        http_error(response, 400, "INVALID_ARGUMENT", "user is missing or too long");
        return;
    }
    char *token = make_token(request, user, &problem);
    if (token == NULL) {
        log_warn("dev_token_failed", LF("problem", problem != NULL ? problem : "no key"));
        http_error(response, 500, "INTERNAL", "the token could not be signed");
    } else {
        response->type = "application/json";
        jsonw_init(&w, &response->body);
        jsonw_object_open(&w);
        jsonw_kcstr(&w, "token", token);
        jsonw_object_close(&w);
    }
    mem_free(token);
    mem_free(problem);
}

/* The public keys of lock tickets; pages of any origin may read them. */
void page_ticket_keys(const struct http_request *request, struct http_response *response) {
    struct str jwks = gateway_ticket_jwks(request->conn->net->gateway);
    buf_append_str(&response->headers, "Access-Control-Allow-Origin: *\r\n");
    if (jwks.len == 0) {
        http_not_found(request, response);
        return;
    }
    buf_append_str(&response->headers, "Cache-Control: public, max-age=300\r\n");
    response->type = "application/jwk-set+json";
    buf_append(&response->body, jwks.p, jwks.len);
}
