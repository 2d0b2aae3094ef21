/* How long a session waits for a token, and how long its token lasts. */
#include "token_life.h"

#include "audit.h"
#include "end.h"
#include "key_wait.h"
#include "registry.h"
#include "send.h"
#include "wslock/base/clock.h"

#define EXPIRING_BEFORE_MS 60000

static void on_auth_deadline(struct wheel_timer *timer) {
    struct session *s = CONTAINER_OF(timer, struct session, life_timer);
    key_wait_expire(s);
    if (s->state != SESSION_AUTH) {
        return;
    }
    session_audit_session(s, AUDIT_AUTH_FAILED, "no token in time");
    session_close(s, WIRE_CLOSE_UNAUTHENTICATED);
}

void session_await_token(struct session *s, uint64_t since_boot_ms) {
    const struct gateway_parts *parts = &s->gateway->parts;
    uint64_t end_ms = since_boot_ms + (uint64_t)parts->config->auth.auth_timeout_ms;
    uint64_t now_ms = clock_boot_ms();
    wheel_set(parts->wheel, &s->life_timer, end_ms > now_ms ? end_ms - now_ms : 0,
              on_auth_deadline);
}

static void on_token_timer(struct wheel_timer *timer);

/* The wheel's clock does not step, the wall clock may: at most an hour, then looked at again. */
static void arm_token_timer(struct session *s) {
    int64_t next = s->expiring_sent ? s->identity->deadline_unix_ms : s->expiring_unix_ms;
    int64_t left = next - clock_wall_ms();
    if (left < 0) {
        left = 0;
    }
    if (left > 3600 * 1000) {
        left = 3600 * 1000;
    }
    wheel_set(s->gateway->parts.wheel, &s->life_timer, (uint64_t)left, on_token_timer);
}

/* auth:expiring is sent a minute before the token expires, or at half of the time left if that is
 * shorter (protocol §4). The client is told exp; the server accepts the token until exp plus the
 * clock skew. */
void session_begin_token(struct session *s) {
    const struct auth_identity *id = s->identity;
    int64_t now = clock_wall_ms();
    int64_t end = id->expires_unix_ms > now ? id->expires_unix_ms : id->deadline_unix_ms;
    int64_t half = (end - now) / 2;
    s->expiring_sent = false;
    s->expiring_unix_ms = end - (half < EXPIRING_BEFORE_MS ? half : EXPIRING_BEFORE_MS);
    arm_token_timer(s);
}

static void send_expiring(struct session *s) {
    struct wire_to to = session_to(NULL, NULL);
    s->expiring_sent = true;
    session_send(s, wire_auth_expiring(&to, s->identity->expires_unix_ms,
                                       lock_store_now_ms(s->gateway->store)));
}

static void on_token_timer(struct wheel_timer *timer) {
    struct session *s = CONTAINER_OF(timer, struct session, life_timer);
    int64_t now = clock_wall_ms();
    if (now >= s->identity->deadline_unix_ms) {
        session_close(s, WIRE_CLOSE_TOKEN_EXPIRED);
        return;
    }
    if (!s->expiring_sent && now >= s->expiring_unix_ms) {
        send_expiring(s);
    }
    if (s->state == SESSION_READY) /* sending may have closed it */
    {
        arm_token_timer(s);
    }
}

void session_replace_token(struct session *s, struct auth_identity *identity) {
    struct auth_identity *old = s->identity;
    char *user_id = identity->user_id;
    identity->user_id = old->user_id; /* borrowed by the rooms */
    old->user_id = user_id;
    s->identity = identity;
    auth_identity_destroy(&old);
    session_begin_token(s);
}
