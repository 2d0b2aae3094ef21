/* auth:refresh {token}: a newer token of the same user, on the same connection. */
#include "audit.h"
#include "errors.h"
#include "handlers.h"
#include "registry.h"
#include "send.h"
#include "token_life.h"
#include "wslock/base/log.h"
#include "wslock/metrics/metrics.h"

static void refuse(struct session *s, const struct wire_request *r, enum wire_error_code code,
                   const char *why) {
    static struct log_limit limit;
    if (log_limit_pass(&limit, 60)) {
        log_info("token_refused", LF("request", wire_request_name(r->kind)), LF("session", s->id),
                 LF("user", s->identity->user_id), LF("address", s->address), LF("why", why));
    }
    struct wire_error_extra extra = {0};
    session_refuse(s, r->kind, &r->ref, code, why, &extra);
}

static void accept(struct session *s, const struct wire_request *r,
                   struct auth_identity *identity) {
    /* A page may send an older token after a newer one: the token that expires later is kept. */
    if (identity->expires_unix_ms > s->identity->expires_unix_ms) {
        session_replace_token(s, identity);
    } else {
        auth_identity_destroy(&identity);
    }
    metrics_add(METRIC_REQUESTS, 1, wire_request_name(r->kind), "ok");
    struct wire_to to = session_to(&r->ref, NULL);
    session_send(s, wire_auth_refreshed(&to, s->identity->expires_unix_ms,
                                        lock_store_now_ms(s->gateway->store)));
}

void handle_refresh(struct session *s, const struct wire_request *r, struct membership *m,
                    const struct config_resource_type *type) {
    (void)m;
    (void)type;
    struct auth_identity *identity = NULL;
    const char *why = "the token is not valid";
    switch (gateway_verify(s->gateway, r->auth_token, &identity, &why)) {
    case AUTH_OK:
        break;
    case AUTH_EXPIRED:
        session_audit_session(s, AUDIT_AUTH_FAILED, why);
        refuse(s, r, WIRE_ERR_TOKEN_EXPIRED, why);
        return;
    case AUTH_INVALID:
        session_audit_session(s, AUDIT_AUTH_FAILED, why);
        refuse(s, r, WIRE_ERR_TOKEN_INVALID, why);
        return;
    }
    if (!str_eqz(str_of(identity->user_id), s->identity->user_id)) {
        why = "the token belongs to another user";
        session_audit_refused_user(s, identity, why);
        auth_identity_destroy(&identity);
        refuse(s, r, WIRE_ERR_FORBIDDEN, why);
        return;
    }
    accept(s, r, identity);
}
