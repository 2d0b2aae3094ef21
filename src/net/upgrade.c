#include <stdio.h>

#include "http.h"
#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/metrics/metrics.h"

static struct session_peer peer_of(const struct conn *c, char text[ADDRESS_TEXT_MAX]) {
    address_format(&c->peer, text);
    return (struct session_peer){.address = str_of(text), .user_agent = str_of(c->net->user_agent)};
}

static void add_headers(enum handshake_verdict verdict, struct http_response *response) {
    if (verdict == HANDSHAKE_WS_VERSION)
        buf_append_str(&response->headers, "Sec-WebSocket-Version: 13\r\n");
    if (response->status == 426)
        buf_append_str(&response->headers, "Upgrade: websocket\r\n");
    if (response->status == 429 || response->status == 503)
        buf_append_str(&response->headers, "Retry-After: 1\r\n");
    if (response->status == 401)
        buf_append_str(&response->headers, "WWW-Authenticate: Bearer\r\n");
}

/* What goes into the audit is logged where that is written. */
static bool is_audited(enum handshake_verdict verdict) {
    return verdict == HANDSHAKE_ORIGIN || verdict == HANDSHAKE_TOKEN_INVALID ||
           verdict == HANDSHAKE_TOKEN_EXPIRED;
}

static void tell_refused(const struct conn *c, enum handshake_verdict verdict) {
    const struct handshake_refusal *refusal = handshake_refusal(verdict);
    static struct log_limit limit;
    char address[ADDRESS_TEXT_MAX];
    metrics_add(METRIC_REFUSED, 1, refusal->label, NULL);
    if (is_audited(verdict) || !log_enabled(LOG_LEVEL_INFO) || !log_limit_pass(&limit, 60))
        return;
    address_format(&c->peer, address);
    log_info("handshake_refused", LF("address", address), LFI("status", refusal->status),
             LF("reason", refusal->message));
}

int upgrade_refuse(struct conn *c, enum handshake_verdict verdict) {
    const struct handshake_refusal *refusal = handshake_refusal(verdict);
    struct http_response response;
    tell_refused(c, verdict);
    http_response_init(&response);
    http_error(&response, refusal->status, refusal->code, refusal->message);
    add_headers(verdict, &response);
    return http_send(c, &response, false);
}

bool upgrade_admit_request(struct conn *c) {
    static char forwarded[NET_MAX_HEADER_BYTES];
    struct net *n = c->net;
    if (c->listener->trusted.count > 0 &&
        http_header(c, WSI_TOKEN_X_FORWARDED_FOR, forwarded, sizeof forwarded, NULL))
        c->peer = address_behind_proxies(&c->listener->trusted, c->peer, str_of(forwarded));
    if (c->handshake_counted)
        return true;
    c->handshake_counted = true;
    return admit_handshake(n->admit, &n->limits, &c->peer, clock_boot_us());
}

/* One buffer a header: they are compared, none is kept. */
static void read_request(struct conn *c, struct handshake_request *r) {
    static char http_version[16], host[256], upgrade[32], connection[256], ws_version[16], key[64],
        protocols[256], origin[1024];
    struct http_request request;
    bool origin_too_long = false;
    http_request_read(c, &request);
    http_header(c, WSI_TOKEN_HTTP, http_version, sizeof http_version, NULL);
    http_header(c, WSI_TOKEN_HOST, host, sizeof host, NULL);
    http_header(c, WSI_TOKEN_UPGRADE, upgrade, sizeof upgrade, NULL);
    http_header(c, WSI_TOKEN_CONNECTION, connection, sizeof connection, NULL);
    http_header(c, WSI_TOKEN_VERSION, ws_version, sizeof ws_version, NULL);
    http_header(c, WSI_TOKEN_KEY, key, sizeof key, NULL);
    http_header(c, WSI_TOKEN_PROTOCOL, protocols, sizeof protocols, NULL);
    bool has_origin = http_header(c, WSI_TOKEN_ORIGIN, origin, sizeof origin, &origin_too_long) ||
                      http_header_is_empty(c, WSI_TOKEN_ORIGIN);
    *r = (struct handshake_request){
        .is_get = request.method == HTTP_GET,
        .path = request.path,
        .http_version = str_of(http_version),
        .host = str_of(host),
        .upgrade = str_of(upgrade),
        .connection = str_of(connection),
        .ws_version = str_of(ws_version),
        .key = str_of(key),
        .protocols = str_of(protocols),
        .has_origin = has_origin || origin_too_long,
        .origin = str_of(origin),
    };
}

/* False: there is none. One that is too long for us is given back as too long for the verifier. */
static bool find_token(struct conn *c, struct str *token) {
    static char header[NET_MAX_HEADER_BYTES];
    const char *cookie = c->net->parts.config->auth.cookie;
    bool too_long = false;
    if (http_header(c, WSI_TOKEN_HTTP_AUTHORIZATION, header, sizeof header, &too_long) &&
        handshake_bearer(str_of(header), token))
        return true;
    if (cookie != NULL && http_header(c, WSI_TOKEN_HTTP_COOKIE, header, sizeof header, &too_long) &&
        handshake_cookie(str_of(header), cookie, token))
        return true;
    *token = (struct str){header, sizeof header};
    return too_long;
}

static enum handshake_verdict verdict_of(enum auth_result result) {
    switch (result) {
    case AUTH_OK:
        return HANDSHAKE_OK;
    case AUTH_INVALID:
        return HANDSHAKE_TOKEN_INVALID;
    case AUTH_EXPIRED:
        return HANDSHAKE_TOKEN_EXPIRED;
    }
    return HANDSHAKE_TOKEN_INVALID;
}

static enum handshake_verdict check_token(struct conn *c) {
    struct str token;
    const char *why = NULL;
    char address[ADDRESS_TEXT_MAX];
    if (!find_token(c, &token))
        return HANDSHAKE_OK;
    enum auth_result result = gateway_verify(c->net->gateway, token, &c->identity, &why);
    if (result != AUTH_OK) {
        struct session_peer peer = peer_of(c, address);
        gateway_audit_refused(c->net->gateway, true, &peer, why);
    }
    return verdict_of(result);
}

static enum handshake_verdict count_connection(struct conn *c) {
    struct net *n = c->net;
    switch (admit_enter(n->admit, &n->limits, &c->peer, clock_boot_us(), &c->place)) {
    case ADMIT_OK:
        return HANDSHAKE_OK;
    case ADMIT_FULL:
        return HANDSHAKE_FULL;
    case ADMIT_ADDRESS_FULL:
        return HANDSHAKE_ADDRESS_FULL;
    }
    return HANDSHAKE_FULL;
}

static void tell_origin(struct conn *c) {
    char address[ADDRESS_TEXT_MAX];
    struct session_peer peer = peer_of(c, address);
    gateway_audit_refused(c->net->gateway, false, &peer, "ORIGIN_NOT_ALLOWED");
}

/* libwebsockets cuts nothing for us: the first bytes are what says who it is. */
static void read_user_agent(struct conn *c) {
    static char header[NET_MAX_HEADER_BYTES];
    if (!http_header(c, WSI_TOKEN_HTTP_USER_AGENT, header, sizeof header, NULL))
        header[0] = '\0';
    snprintf(c->net->user_agent, sizeof c->net->user_agent, "%.*s", NET_USER_AGENT_MAX, header);
}

/* The cheap checks first, the signature last. */
int upgrade_filter(struct conn *c) {
    struct handshake_request request;
    if (!upgrade_admit_request(c))
        return upgrade_refuse(c, HANDSHAKE_RATE);
    read_request(c, &request);
    read_user_agent(c);
    enum handshake_verdict verdict = handshake_check(c->net->parts.config, &request);
    if (verdict == HANDSHAKE_ORIGIN)
        tell_origin(c);
    if (verdict == HANDSHAKE_OK && c->net->draining)
        verdict = HANDSHAKE_DRAINING;
    if (verdict == HANDSHAKE_OK)
        verdict = count_connection(c);
    if (verdict == HANDSHAKE_OK)
        verdict = check_token(c);
    return verdict == HANDSHAKE_OK ? 0 : upgrade_refuse(c, verdict);
}
