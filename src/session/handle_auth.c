/* auth {token, clientId?, pageId?}: the first message of a browser. */
#include "audit.h"
#include "end.h"
#include "errors.h"
#include "handlers.h"
#include "open.h"
#include "wslock/base/log.h"

static void record_refused(struct session *s, const char *why) {
    static struct log_limit limit;
    if (log_limit_pass(&limit, 60)) {
        log_info("token_refused", LF("request", wire_request_name(WIRE_REQ_AUTH)),
                 LF("session", s->id), LF("address", s->address), LF("why", why));
    }
    session_audit_session(s, AUDIT_AUTH_FAILED, why);
}

void session_cookie_refused(struct session *s, enum auth_result result, const char *why) {
    if (s->state != SESSION_AUTH) {
        return;
    }
    record_refused(s, why);
    session_error(s, NULL, result == AUTH_EXPIRED ? WIRE_ERR_TOKEN_EXPIRED : WIRE_ERR_TOKEN_INVALID,
                  why, NULL);
}

static void refuse(struct session *s, const struct wire_ref *ref, enum wire_error_code code,
                   enum wire_close close, const char *why) {
    record_refused(s, why);
    struct wire_error_extra extra = {0};
    session_refuse(s, WIRE_REQ_AUTH, ref, code, why, &extra);
    session_close(s, close);
}

void handle_auth(struct session *s, const struct wire_request *r, struct membership *m,
                 const struct config_resource_type *type) {
    (void)m;
    (void)type;
    struct wire_error_extra extra = {.field = "token"};
    if (s->state != SESSION_AUTH) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_INVALID_ARGUMENT,
                       "This connection has been authenticated already.", &extra);
        return;
    }
    struct auth_identity *identity = NULL;
    const char *why = "the token is not valid";
    switch (gateway_verify(s->gateway, r->auth_token, &identity, &why)) {
    case AUTH_OK:
        break;
    case AUTH_EXPIRED:
        refuse(s, &r->ref, WIRE_ERR_TOKEN_EXPIRED, WIRE_CLOSE_TOKEN_EXPIRED, why);
        return;
    case AUTH_INVALID:
        refuse(s, &r->ref, WIRE_ERR_TOKEN_INVALID, WIRE_CLOSE_TOKEN_INVALID, why);
        return;
    }
    session_set_name(s->client_id, r->client_id);
    session_set_name(s->page_id, r->page_id);
    session_accept(s, identity, &r->ref);
}
