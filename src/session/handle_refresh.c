/* auth:refresh {token}: a newer token of the same user, on the same connection. */
#include "audit.h"
#include "errors.h"
#include "handlers.h"
#include "key_wait.h"
#include "registry.h"
#include "send.h"
#include "token_life.h"
#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/metrics/metrics.h"

#define RETRY_MS 1000 /* a fetch of keys takes less, as a rule */

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

static void take(struct session *s, const struct wire_request *r, struct auth_identity *identity) {
    if (!str_eqz(str_of(identity->user_id), s->identity->user_id)) {
        const char *why = "the token belongs to another user";
        session_audit_refused_user(s, identity, why);
        auth_identity_destroy(&identity);
        refuse(s, r, WIRE_ERR_FORBIDDEN, why);
        return;
    }
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

static void check(struct session *s, const struct wire_request *r, uint64_t since_boot_ms) {
    struct auth_identity *identity = NULL;
    enum wire_error_code code = WIRE_ERR_TOKEN_INVALID;
    const char *why = "the token is not valid";
    switch (gateway_verify(s->gateway, r->auth_token, &identity, &why)) {
    case AUTH_OK:
        take(s, r, identity);
        return;
    case AUTH_UNKNOWN_KEY:
        if (key_wait_begin(s, r, since_boot_ms, check)) {
            return;
        }
        break;
    case AUTH_EXPIRED:
        code = WIRE_ERR_TOKEN_EXPIRED;
        break;
    case AUTH_INVALID:
        break;
    }
    session_audit_session(s, AUDIT_AUTH_FAILED, why);
    refuse(s, r, code, why);
}

void handle_refresh(struct session *s, const struct wire_request *r, struct membership *m,
                    const struct config_resource_type *type) {
    (void)m;
    (void)type;
    struct wire_error_extra extra = {.retry_after_ms = RETRY_MS};
    if (s->key_wait != NULL) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_RATE_LIMITED,
                       "The token before is still being checked.", &extra);
        return;
    }
    check(s, r, clock_boot_ms());
}
