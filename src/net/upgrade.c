/* Admits requests and handshakes: limits, Origin, token. */
#include "upgrade.h"

#include <inttypes.h>
#include <stdio.h>

#include "idle.h"
#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/metrics/metrics.h"
#include "wslock/session/session.h"

#define USER_AGENT_MAX 256 /* bytes */
#define COOKIES_TRIED 8    /* per request, with the configured name */

/* retry_after_s: 0: none, but for limits. */
static void add_headers(enum handshake_verdict verdict, uint64_t retry_after_s,
                        struct http_response *response) {
    if (verdict == HANDSHAKE_WS_VERSION) {
        buf_append_str(&response->headers, "Sec-WebSocket-Version: 13\r\n");
    }
    if (response->status == 426) {
        buf_append_str(&response->headers, "Upgrade: websocket\r\n");
    }
    if (response->status == 429 || response->status == 503) {
        retry_after_s = 1;
    }
    if (retry_after_s > 0) {
        buf_printf(&response->headers, "Retry-After: %" PRIu64 "\r\n", retry_after_s);
    }
    if (response->status == 401) {
        buf_append_str(&response->headers, "WWW-Authenticate: Bearer\r\n");
    }
}

/* The audit logs these refusals. */
static bool is_audited(enum handshake_verdict verdict) {
    return verdict == HANDSHAKE_ORIGIN || verdict == HANDSHAKE_TOKEN_INVALID ||
           verdict == HANDSHAKE_TOKEN_EXPIRED || verdict == HANDSHAKE_KEY_UNKNOWN;
}

static void tell_refused(const struct conn *c, enum handshake_verdict verdict) {
    const struct handshake_refusal *refusal = handshake_refusal(verdict);
    static struct log_limit limit;
    char address[ADDRESS_TEXT_MAX];
    metrics_add(METRIC_REFUSED, 1, refusal->label, NULL);
    if (is_audited(verdict) || !log_enabled(LOG_LEVEL_INFO) || !log_limit_pass(&limit, 60)) {
        return;
    }
    address_format(&c->peer, address);
    log_info("handshake_refused", LF("address", address), LFI("status", refusal->status),
             LF("reason", refusal->message));
}

static void refuse(struct conn *c, enum handshake_verdict verdict, const char *message,
                   uint64_t retry_after_s) {
    const struct handshake_refusal *refusal = handshake_refusal(verdict);
    struct http_response response;
    if (c->listener->kind == LISTENER_PUBLIC) {
        tell_refused(c, verdict);
    }
    http_response_init(&response);
    http_error(&response, refusal->status, refusal->code, message);
    add_headers(verdict, retry_after_s, &response);
    c->keep = false;
    http_send(c, &response);
}

void upgrade_refuse(struct conn *c, enum handshake_verdict verdict) {
    refuse(c, verdict, handshake_refusal(verdict)->message, 0);
}

/* Shows the value that allowedOrigins would need. */
void upgrade_refuse_origin(struct conn *c, const struct upgrade_client *client) {
    char origin[HANDSHAKE_ORIGIN_TEXT], message[HANDSHAKE_ORIGIN_TEXT + 64];
    handshake_origin_text(&c->head, origin);
    snprintf(message, sizeof message, "%s: %s", handshake_refusal(HANDSHAKE_ORIGIN)->message,
             origin[0] != '\0' ? origin : "an empty one");
    gateway_audit_refused(c->net->gateway, false, &client->peer, "ORIGIN_NOT_ALLOWED",
                          str_of(origin));
    refuse(c, HANDSHAKE_ORIGIN, message, 0);
}

bool upgrade_admit_request(struct conn *c) {
    static char forwarded[CONFIG_MAX_HEADER_BYTES];
    struct net *n = c->net;
    if (c->listener->trusted.count > 0 &&
        http_header(c, "X-Forwarded-For", forwarded, sizeof forwarded, NULL)) {
        c->peer = address_behind_proxies(&c->listener->trusted, c->socket_peer, str_of(forwarded));
    } else {
        c->peer = c->socket_peer;
    }
    if (c->handshake_counted) {
        return true;
    }
    c->handshake_counted = true;
    return admit_handshake(n->admit, &n->limits, &c->peer, clock_boot_us());
}

/* ---- tokens ---- */

/* The token of `Authorization: Bearer`. False: there is none. Of two or more tokens none counts:
 * then it is empty. */
static bool find_bearer(const struct conn *c, struct str *token) {
    struct str rest = c->head.fields, value;
    size_t found = 0;
    while (http_head_next(&rest, "Authorization", &value)) {
        if (handshake_bearer(value, token)) {
            found++;
        }
    }
    if (found > 1) {
        *token = str_of("");
    }
    return found > 0;
}

static enum handshake_verdict verdict_of(enum auth_result result) {
    switch (result) {
    case AUTH_OK:
        return HANDSHAKE_OK;
    case AUTH_INVALID:
        return HANDSHAKE_TOKEN_INVALID;
    case AUTH_EXPIRED:
        return HANDSHAKE_TOKEN_EXPIRED;
    case AUTH_UNKNOWN_KEY:
        return HANDSHAKE_KEY_UNKNOWN;
    }
    return HANDSHAKE_TOKEN_INVALID;
}

/* False: the handshake was refused. */
static bool check_bearer(struct conn *c, struct str token, const struct session_peer *peer) {
    const char *why = NULL;
    uint64_t wait_ms = 0;
    enum auth_result result = gateway_verify(c->net->gateway, token, &c->identity, &why);
    enum handshake_verdict verdict = verdict_of(result);
    if (result == AUTH_OK) {
        return true;
    }
    gateway_audit_refused(c->net->gateway, true, peer, why, (struct str){NULL, 0});
    if (result == AUTH_UNKNOWN_KEY && gateway_await_key(c->net->gateway, &wait_ms)) {
        refuse(c, verdict, handshake_refusal(verdict)->message, wait_ms / 1000 + 1);
    } else {
        upgrade_refuse(c, verdict);
    }
    return false;
}

/* A browser sends all cookies with the name, also old ones, and hides refused handshakes from its
 * page. Therefore a bad cookie is reported on the open WebSocket. Each attempt verifies a
 * signature. */
static void check_cookies(struct conn *c, struct session_cookie *cookie) {
    struct str rest = c->head.fields, line, token;
    const char *name = c->net->parts.config->auth.cookie;
    size_t tried = 0;
    while (name != NULL && http_head_next(&rest, "Cookie", &line)) {
        while (tried < COOKIES_TRIED && handshake_next_cookie(&line, name, &token)) {
            const char *why = NULL;
            enum auth_result result = gateway_verify(c->net->gateway, token, &c->identity, &why);
            if (result == AUTH_OK) {
                return;
            }
            if (cookie->why == NULL || result == AUTH_UNKNOWN_KEY ||
                (result == AUTH_EXPIRED && cookie->result == AUTH_INVALID)) {
                *cookie = (struct session_cookie){token, result, why};
            }
            tried++;
        }
    }
}

static enum handshake_verdict count_connection(struct conn *c, struct admit_place *place) {
    switch (idle_admit(c->listener, &c->peer, place)) {
    case ADMIT_OK:
        return HANDSHAKE_OK;
    case ADMIT_FULL:
        return HANDSHAKE_FULL;
    case ADMIT_ADDRESS_FULL:
        return HANDSHAKE_ADDRESS_FULL;
    }
    return HANDSHAKE_FULL;
}

void upgrade_read_client(const struct conn *c, struct upgrade_client *out) {
    struct str agent = http_head_first(&c->head, "User-Agent");
    address_format(&c->peer, out->address);
    agent.len = utf8_cut(agent, USER_AGENT_MAX); /* the client's name comes first */
    out->peer = (struct session_peer){str_of(out->address), agent};
    out->cookie = (struct session_cookie){.why = NULL};
}

bool upgrade_admit(struct conn *c, const struct upgrade_client *client,
                   enum handshake_verdict verdict, struct admit_place *place) {
    if (verdict == HANDSHAKE_ORIGIN) {
        upgrade_refuse_origin(c, client);
        return false;
    }
    if (verdict == HANDSHAKE_OK && c->net->refusing) {
        verdict = HANDSHAKE_DRAINING;
    }
    if (verdict == HANDSHAKE_OK) {
        verdict = count_connection(c, place);
    }
    if (verdict != HANDSHAKE_OK) {
        upgrade_refuse(c, verdict);
        return false;
    }
    return true;
}

bool upgrade_check_tokens(struct conn *c, struct upgrade_client *client) {
    struct str token;
    if (find_bearer(c, &token)) {
        return check_bearer(c, token, &client->peer);
    }
    check_cookies(c, &client->cookie);
    if (c->identity != NULL) {
        client->cookie.why = NULL;
    }
    return true;
}
