/* What the handshake needs before there is a session. */
#include "audit_record.h"
#include "registry.h"
#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/session/session.h"

enum auth_result gateway_verify(struct gateway *g, struct str token,
                                struct auth_identity **identity, const char **why) {
    return auth_verify(g->parts.auth, token, clock_wall_ms(), identity, why);
}

bool gateway_await_key(struct gateway *g, uint64_t *wait_ms) {
    return auth_await_key(g->parts.auth, clock_boot_ms(), wait_ms);
}

void gateway_audit_refused(struct gateway *g, bool auth_failed, const struct session_peer *peer,
                           const char *reason, struct str origin) {
    static struct log_limit limit;
    if (log_limit_pass(&limit, 60)) {
        log_info("handshake_refused", LF("reason", reason), LFS("address", peer->address),
                 LFS("origin", origin));
    }
    struct audit_record r =
        audit_record_blank(auth_failed ? AUDIT_AUTH_FAILED : AUDIT_ACCESS_DENIED, true);
    r.reason = str_of(reason);
    r.address = peer->address;
    r.user_agent = peer->user_agent;
    r.detail = origin;
    audit_write(g->parts.audit, &r);
}
