/* How a connection begins. */
#include "open.h"

#include "audit.h"
#include "end.h"
#include "errors.h"
#include "liveness.h"
#include "membership.h"
#include "registry.h"
#include "send.h"
#include "token_life.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#define USER_AGENT_MAX 256
#define USER_RETRY_MS 5000 /* retryAfterMs over the user's limit of connections */

static const struct config *cfg(const struct session *s) {
    return s->gateway->parts.config;
}

static int64_t confirmed_until_ms(const struct session *s) {
    int64_t earliest = 0;
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        int64_t until = room_confirmed_until_ms(&m->sub);
        if (until && (!earliest || until < earliest)) {
            earliest = until;
        }
    }
    return earliest;
}

bool session_is_unconfirmed(const struct session *s) {
    return !s->told_until && confirmed_until_ms(s) != 0;
}

void session_send_degraded(struct session *s) {
    if (s->state != SESSION_READY) {
        return;
    }
    struct wire_to to = session_to(NULL, NULL);
    int64_t until_ms = confirmed_until_ms(s);
    s->told_until = until_ms != 0;
    session_send(s, wire_degraded(&to, until_ms));
}

static void send_welcome(struct session *s, const struct wire_ref *ref) {
    const struct auth_identity *id = s->identity;
    struct wire_to to = session_to(ref, NULL);
    session_send(s, wire_welcome(&to, str_of(s->id), str_of(id->user_id), str_of(id->username),
                                 (const char *const *)id->roles, id->role_count, id->admin,
                                 lock_store_now_ms(s->gateway->store), id->expires_unix_ms,
                                 cfg(s)->limits.max_message_bytes, cfg(s)->instance));
}

static void refuse_user(struct session *s, struct auth_identity *identity,
                        const struct wire_ref *ref) {
    session_audit_refused_user(s, identity, wire_close_reason(WIRE_CLOSE_TOO_MANY_CONNECTIONS));
    auth_identity_destroy(&identity);
    if (ref != NULL) {
        struct wire_error_extra extra = {.retry_after_ms = USER_RETRY_MS};
        session_refuse(s, WIRE_REQ_AUTH, ref, WIRE_ERR_RATE_LIMITED,
                       "This user has reached the limit of connections.", &extra);
    }
    session_close(s, WIRE_CLOSE_TOO_MANY_CONNECTIONS);
}

void session_accept(struct session *s, struct auth_identity *identity, const struct wire_ref *ref) {
    if (s->state != SESSION_AUTH) {
        auth_identity_destroy(&identity);
        return;
    }
    if (!gateway_count_user(s, identity->user_id)) {
        refuse_user(s, identity, ref);
        return;
    }
    session_drop_offer(s);
    s->identity = identity;
    session_enter(s, SESSION_READY);
    session_begin_token(s);
    session_watch_liveness(s);
    session_audit_session(s, AUDIT_SESSION_OPENED, NULL);
    if (ref != NULL) {
        metrics_add(METRIC_REQUESTS, 1, wire_request_name(WIRE_REQ_AUTH), "ok");
    }
    send_welcome(s, ref);
    if (s->gateway->degraded) {
        session_send_degraded(s);
    }
}

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
    g->framing_count[framing]++;
    s->address = str_dup(peer->address);
    s->user_agent = copy_cut(peer->user_agent, USER_AGENT_MAX);
    s->opened_unix_ms = clock_wall_ms();
    list_init(&s->of_user);
    list_init(&s->memberships);
    list_init(&s->queue);
    wheel_timer_init(&s->life_timer);
    wheel_timer_init(&s->ping_timer);
    wheel_timer_init(&s->rooms_timer);
    s->heard_boot_ms = clock_boot_ms();
    rate_init(&s->rate, (double)cfg(s)->limits.message_burst, clock_boot_us());
    rate_init(&s->ping_rate, SESSION_PING_BURST, clock_boot_us());
    map_set(g->sessions, str_of(s->id), s);
    if (g->draining) {
        session_close(s, WIRE_CLOSE_GOING_AWAY);
    }
    if (identity != NULL && wire_framing_connects(framing)) {
        s->offered_identity = identity;
    } else if (identity != NULL) {
        session_accept(s, identity, NULL);
    }
    if (s->state == SESSION_AUTH) {
        session_await_token(s, s->heard_boot_ms);
    }
    return s;
}
