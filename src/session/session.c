/*
 * One connection's life: AUTH → READY → CLOSING → GONE. The state changes in session_enter()
 * alone. How it ends: end.c.
 */
#include "private.h"

#include <assert.h>
#include <stdio.h>

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#define USER_AGENT_MAX 256
#define EXPIRING_BEFORE_MS 60000
#define USER_RETRY_MS 5000 /* over the user's limit of connections */
/* A timer this late: the program itself did not run, and what was answered may lie unread. */
#define STOOD_STILL_MS 1000

void session_enter(struct session *s, enum session_state next) {
    static const unsigned char allowed[4] = {
        [SESSION_AUTH] = 1 << SESSION_READY | 1 << SESSION_CLOSING | 1 << SESSION_GONE,
        [SESSION_READY] = 1 << SESSION_CLOSING | 1 << SESSION_GONE,
        [SESSION_CLOSING] = 1 << SESSION_GONE,
        [SESSION_GONE] = 0,
    };
    assert(allowed[s->state] & (1 << next));
    s->state = next;
    wheel_cancel(&s->life_timer);
    if (next != SESSION_READY)
        wheel_cancel(&s->ping_timer);
}

static const struct config *cfg(const struct session *s) {
    return s->gateway->parts.config;
}

/* ---- the end of waiting for a token, and of the token ---- */

static void on_auth_deadline(struct wheel_timer *timer) {
    struct session *s = CONTAINER_OF(timer, struct session, life_timer);
    trail_session(s, AUDIT_AUTH_FAILED, "no token in time");
    session_close(s, WIRE_CLOSE_UNAUTHENTICATED);
}

static void on_token_timer(struct wheel_timer *timer);

/* The wheel's clock does not step, the wall clock may: look again at each end. */
static void arm_token_timer(struct session *s) {
    int64_t next = s->expiring_told ? s->identity->deadline_unix_ms : s->expiring_unix_ms;
    int64_t left = next - clock_wall_ms();
    if (left < 0)
        left = 0;
    if (left > 3600 * 1000)
        left = 3600 * 1000;
    wheel_set(s->gateway->parts.wheel, &s->life_timer, (uint64_t)left, on_token_timer);
}

/* Protocol §3: a minute before the end, or at half of a shorter life. The end that a client is told
 * is exp; a token that is past it lives on the clock skew. */
static void begin_token_life(struct session *s) {
    const struct auth_identity *id = s->identity;
    int64_t now = clock_wall_ms();
    int64_t end = id->expires_unix_ms > now ? id->expires_unix_ms : id->deadline_unix_ms;
    int64_t half = (end - now) / 2;
    s->expiring_told = false;
    s->expiring_unix_ms = end - (half < EXPIRING_BEFORE_MS ? half : EXPIRING_BEFORE_MS);
    arm_token_timer(s);
}

static void tell_expiring(struct session *s) {
    struct wire_to to = session_to(s, NULL, NULL);
    s->expiring_told = true;
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
    if (!s->expiring_told && now >= s->expiring_unix_ms)
        tell_expiring(s);
    if (s->state == SESSION_READY) /* it may have been too slow to be told */
        arm_token_timer(s);
}

void session_swap_identity(struct session *s, struct auth_identity *identity) {
    struct auth_identity *old = s->identity;
    char *user_id = identity->user_id;
    identity->user_id = old->user_id; /* rooms have borrowed it */
    old->user_id = user_id;
    s->identity = identity;
    auth_identity_destroy(&old);
    begin_token_life(s);
}

/* ---- signs of life ---- */

static void on_ping_timer(struct wheel_timer *timer);

static void wait_ping(struct session *s, uint64_t delay_ms) {
    s->ping_due_boot_ms = clock_boot_ms() + delay_ms;
    wheel_set(s->gateway->parts.wheel, &s->ping_timer, delay_ms, on_ping_timer);
}

static void on_ping_timer(struct wheel_timer *timer) {
    struct session *s = CONTAINER_OF(timer, struct session, ping_timer);
    uint64_t interval = (uint64_t)cfg(s)->limits.ping_interval_ms;
    uint64_t timeout = (uint64_t)cfg(s)->limits.pong_timeout_ms;
    uint64_t now = clock_boot_ms(), quiet = now - s->heard_boot_ms;
    if (s->ping_sent) {
        if (now - s->ping_due_boot_ms > STOOD_STILL_MS)
            wait_ping(s, timeout);
        else
            session_close(s, WIRE_CLOSE_PING_TIMEOUT);
        return;
    }
    if (quiet < interval) {
        wait_ping(s, interval - quiet);
        return;
    }
    s->ping_sent = true;
    s->transport->ping(s->conn);
    wait_ping(s, timeout);
}

static void heard(struct session *s) {
    s->heard_boot_ms = clock_boot_ms();
    if (s->ping_sent && s->state == SESSION_READY) {
        s->ping_sent = false;
        wait_ping(s, (uint64_t)cfg(s)->limits.ping_interval_ms);
    }
}

void session_on_pong(struct session *s) {
    heard(s);
}

/* ---- open ---- */

static char *copy_cut(struct str text, size_t max) {
    return mem_strndup(text.len ? text.p : "", text.len < max ? text.len : max);
}

struct session *session_open(struct gateway *g, const struct session_transport *transport,
                             void *conn, const struct session_peer *peer, enum wire_framing framing,
                             struct auth_identity *identity) {
    struct session *s = mem_zalloc(sizeof *s);
    s->gateway = g;
    rand_id(s->id);
    s->transport = transport;
    s->conn = conn;
    s->framing = framing;
    s->address = str_dup(peer->address);
    s->user_agent = copy_cut(peer->user_agent, USER_AGENT_MAX);
    list_init(&s->memberships);
    list_init(&s->queue);
    wheel_timer_init(&s->life_timer);
    wheel_timer_init(&s->ping_timer);
    wheel_timer_init(&s->rooms_timer);
    s->heard_boot_ms = clock_boot_ms();
    rate_init(&s->rate, (double)cfg(s)->limits.message_burst, clock_boot_us());
    rate_init(&s->ping_rate, SESSION_PING_BURST, clock_boot_us());
    map_set(g->sessions, str_of(s->id), s);
    if (g->draining)
        session_close(s, WIRE_CLOSE_GOING_AWAY);
    if (identity)
        session_accept(s, identity, NULL);
    else if (s->state == SESSION_AUTH)
        wheel_set(g->parts.wheel, &s->life_timer, (uint64_t)cfg(s)->auth.auth_timeout_ms,
                  on_auth_deadline);
    return s;
}

static void send_welcome(struct session *s, const struct wire_ref *ref) {
    const struct auth_identity *id = s->identity;
    struct wire_to to = session_to(s, ref, NULL);
    session_send(s, wire_welcome(&to, str_of(s->id), str_of(id->user_id), str_of(id->username),
                                 (const char *const *)id->roles, id->role_count, id->admin,
                                 lock_store_now_ms(s->gateway->store), id->expires_unix_ms,
                                 cfg(s)->limits.max_message_bytes, cfg(s)->instance));
}

static void refuse_user(struct session *s, struct auth_identity *identity,
                        const struct wire_ref *ref) {
    trail_refused_user(s, identity, wire_close_reason(WIRE_CLOSE_TOO_MANY_CONNECTIONS));
    auth_identity_destroy(&identity);
    if (ref) {
        struct wire_error_extra extra = {.retry_after_ms = USER_RETRY_MS};
        session_refuse(s, WIRE_REQ_AUTH, ref, WIRE_ERR_RATE_LIMITED,
                       "This user has as many connections as the limit allows.", &extra);
    }
    session_close(s, WIRE_CLOSE_TOO_MANY_CONNECTIONS);
}

void session_take_name(char slot[65], struct str given) {
    if (given.len == 0)
        return;
    memcpy(slot, given.p, given.len);
    slot[given.len] = '\0';
}

void session_accept(struct session *s, struct auth_identity *identity, const struct wire_ref *ref) {
    if (s->state != SESSION_AUTH) {
        auth_identity_destroy(&identity);
        return;
    }
    if (!gateway_count_user(s->gateway, identity->user_id)) {
        refuse_user(s, identity, ref);
        return;
    }
    s->identity = identity;
    session_enter(s, SESSION_READY);
    begin_token_life(s);
    wait_ping(s, (uint64_t)cfg(s)->limits.ping_interval_ms);
    trail_session(s, AUDIT_SESSION_OPENED, NULL);
    if (ref)
        metrics_add(METRIC_REQUESTS, 1, wire_request_name(WIRE_REQ_AUTH), "ok");
    send_welcome(s, ref);
    if (s->gateway->degraded)
        session_tell_degraded(s);
}

/* ---- what comes in ---- */

void session_on_message(struct session *s, const char *text, size_t len) {
    if (s->state != SESSION_AUTH && s->state != SESSION_READY)
        return;
    lock_store_check_lease(s->gateway->store);
    heard(s);
    if (s->state == SESSION_AUTH || s->state == SESSION_READY) /* it has not been told too much */
        session_dispatch(s, text, len);
}

void session_on_violation(struct session *s, enum wire_close close) {
    session_close(s, close);
}

static int64_t confirmed_until_ms(const struct session *s) {
    int64_t earliest = 0;
    LIST_FOREACH_SAFE(it, tmp, &s->memberships) {
        struct membership *m = CONTAINER_OF(it, struct membership, node);
        int64_t until = room_confirmed_until_ms(&m->sub);
        if (until && (!earliest || until < earliest))
            earliest = until;
    }
    return earliest;
}

void session_tell_degraded(struct session *s) {
    if (s->state != SESSION_READY)
        return;
    struct wire_to to = session_to(s, NULL, NULL);
    session_send(s, wire_degraded(&to, confirmed_until_ms(s)));
}

void session_free(struct session *s) {
    map_remove(s->gateway->sessions, str_of(s->id));
    LIST_FOREACH_SAFE(it, tmp, &s->memberships) {
        membership_destroy(CONTAINER_OF(it, struct membership, node));
    }
    wheel_cancel(&s->life_timer);
    wheel_cancel(&s->ping_timer);
    wheel_cancel(&s->rooms_timer);
    session_queue_clear(s);
    if (s->identity)
        gateway_uncount_user(s->gateway, s->identity->user_id);
    auth_identity_destroy(&s->identity);
    mem_free(s->address);
    mem_free(s->user_agent);
    mem_free(s);
}
