/* auth {token, clientId?, pageId?}: the first message of a browser. */
#include "audit.h"
#include "end.h"
#include "errors.h"
#include "handlers.h"
#include "key_wait.h"
#include "open.h"
#include "token_life.h"
#include "wslock/base/clock.h"
#include "wslock/base/log.h"

static void record_refused(struct session *s, const char *why) {
    static struct log_limit limit;
    if (log_limit_pass(&limit, 60)) {
        log_info("token_refused", LF("request", wire_request_name(WIRE_REQ_AUTH)),
                 LF("session", s->id), LF("address", s->address), LF("why", why));
    }
    session_audit_session(s, AUDIT_AUTH_FAILED, why);
}

static void refuse(struct session *s, const struct wire_ref *ref, enum wire_error_code code,
                   enum wire_close close, const char *why) {
    record_refused(s, why);
    struct wire_error_extra extra = {0};
    session_refuse(s, WIRE_REQ_AUTH, ref, code, why, &extra);
    session_close(s, close);
}

static void check(struct session *s, const struct wire_request *r, uint64_t since_boot_ms) {
    struct auth_identity *identity = NULL;
    const char *why = "the token is not valid";
    switch (gateway_verify(s->gateway, r->auth_token, &identity, &why)) {
    case AUTH_OK:
        session_set_name(s->client_id, r->client_id);
        session_set_name(s->page_id, r->page_id);
        session_accept(s, identity, &r->ref);
        return;
    case AUTH_EXPIRED:
        refuse(s, &r->ref, WIRE_ERR_TOKEN_EXPIRED, WIRE_CLOSE_TOKEN_EXPIRED, why);
        return;
    case AUTH_UNKNOWN_KEY:
        if (key_wait_begin(s, r, since_boot_ms, check)) {
            session_await_token(s, since_boot_ms);
            return;
        }
        break;
    case AUTH_INVALID:
        break;
    }
    refuse(s, &r->ref, WIRE_ERR_TOKEN_INVALID, WIRE_CLOSE_TOKEN_INVALID, why);
}

/* CONNECT: the token of the handshake counts before its own. */
static void connect(struct session *s, const struct wire_request *r) {
    struct wire_request full = *r;
    struct auth_identity *identity = s->offered_identity;
    if (identity != NULL) {
        s->offered_identity = NULL;
        session_set_name(s->client_id, r->client_id);
        session_set_name(s->page_id, r->page_id);
        session_accept(s, identity, &r->ref);
        return;
    }
    if (r->auth_token.len == 0 && s->offered_token == NULL) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_UNAUTHENTICATED,
                       "token must be a string that holds a JWT.", NULL);
        return;
    }
    if (r->auth_token.len == 0) {
        full.auth_token = str_of(s->offered_token);
    }
    check(s, &full, clock_boot_ms());
}

void handle_auth(struct session *s, const struct wire_request *r, struct membership *m,
                 const struct config_resource_type *type) {
    (void)m;
    (void)type;
    struct wire_error_extra extra = {.field = "token"};
    if (s->state != SESSION_AUTH || key_wait_has_request(s)) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_INVALID_ARGUMENT,
                       "This connection has sent a token already.", &extra);
        return;
    }
    key_wait_end(s); /* of a cookie */
    if (r->ref.connect) {
        connect(s, r);
    } else {
        check(s, r, clock_boot_ms());
    }
}

static key_wait_check check_cookie;

static void cookie_not_accepted(struct session *s, const struct wire_request *r,
                                uint64_t since_boot_ms, enum auth_result result, const char *why) {
    if (result == AUTH_UNKNOWN_KEY && key_wait_begin(s, r, since_boot_ms, check_cookie)) {
        return;
    }
    record_refused(s, why);
    session_error(s, NULL, NULL,
                  result == AUTH_EXPIRED ? WIRE_ERR_TOKEN_EXPIRED : WIRE_ERR_TOKEN_INVALID, why,
                  NULL);
}

static void check_cookie(struct session *s, const struct wire_request *r, uint64_t since_boot_ms) {
    struct auth_identity *identity = NULL;
    const char *why = "the token is not valid";
    enum auth_result result = gateway_verify(s->gateway, r->auth_token, &identity, &why);
    if (result == AUTH_OK) {
        session_accept(s, identity, NULL);
    } else {
        cookie_not_accepted(s, r, since_boot_ms, result, why);
    }
}

void session_cookie_not_accepted(struct session *s, const struct session_cookie *cookie) {
    const struct wire_request r = {.kind = WIRE_REQ_COUNT, .auth_token = cookie->token};
    if (wire_framing_connects(s->framing)) {
        s->offered_token = str_dup(cookie->token);
    } else if (s->state == SESSION_AUTH) {
        cookie_not_accepted(s, &r, clock_boot_ms(), cookie->result, cookie->why);
    }
}
