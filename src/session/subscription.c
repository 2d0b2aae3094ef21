/* The subscription of a membership to its room. */
#include "subscription.h"

#include "answers.h"
#include "end.h"
#include "registry.h"
#include "send.h"
#include "wslock/base/mem.h"

static struct membership *of_sub(struct room_sub *sub) {
    return CONTAINER_OF(sub, struct membership, sub);
}

static void deliver(struct room_sub *sub, struct wire_message *message) {
    session_send(of_sub(sub)->session, wire_message_ref(message));
}

static bool on_lost(struct room_sub *sub, int64_t rev, int64_t token, enum lock_cause reason) {
    struct membership *m = of_sub(sub);
    if (token <= m->lost_token) {
        return false;
    }
    m->lost_token = token;
    m->lost_rev = rev;
    m->lost_reason = reason;
    if (m->token <= token) {
        m->token = 0;
    }
    return true;
}

static bool holds(struct room_sub *sub, int64_t token) {
    const struct membership *m = of_sub(sub);
    return m->joined_ms != 0 && m->token == token;
}

static bool describe(struct room_sub *sub, struct lock_report_member *out) {
    struct membership *m = of_sub(sub);
    struct session *s = m->session;
    struct lock_view lock;
    room_lock(sub, &lock);
    bool known = lock.token == m->token; /* the room has seen this grant */
    *out = (struct lock_report_member){
        .user_id = str_of(s->identity->user_id),
        .username = str_of(s->identity->username),
        .client_id = str_of(s->client_id),
        .page_id = str_of(s->page_id),
        .session_id = str_of(s->id),
        .client_made = s->client_made,
        .joined_ms = m->joined_ms,
        .token = m->token,
        .since_ms = m->since_ms,
        .expires_ms = known ? lock.expires_ms : m->expires_ms,
        .dirty = known ? lock.dirty : m->dirty,
    };
    return m->joined_ms != 0;
}

static bool is_asking(struct room_sub *sub) {
    return of_sub(sub)->session->calls_open > 0;
}

/* No message if the session's own request got the lock, since that is answered; nor if a reply has
 * told of a later grant, or of the end of this one. */
static struct wire_message *granted(struct room_sub *sub, const struct wire_at *at,
                                    const struct lock_event *e) {
    struct membership *m = of_sub(sub);
    bool over =
        e->lock.token < m->token || (e->lock.token <= m->lost_token && at->rev < m->lost_rev);
    if (over || str_eqz(e->actor_session_id, m->session->id)) {
        return NULL;
    }
    return session_acquired(m->session, m, NULL, at, &e->lock, &e->ended, false);
}

static struct wire_message *lifted(struct room_sub *sub, const struct wire_at *at,
                                   const struct lock_view *lock) {
    struct membership *m = of_sub(sub);
    return session_acquired(m->session, m, NULL, at, lock, NULL, true);
}

static const struct room_sub_ops ops = {.deliver = deliver,
                                        .on_lost = on_lost,
                                        .granted = granted,
                                        .lifted = lifted,
                                        .holds = holds,
                                        .describe = describe,
                                        .is_asking = is_asking};

struct membership *membership_create(struct session *s, const struct wire_resource *resource,
                                     const struct config_resource_type *type,
                                     enum wire_presence presence) {
    static uint64_t seq;
    struct membership *m = mem_zalloc(sizeof *m);
    m->session = s;
    m->seq = ++seq;
    m->resource = *resource;
    m->type = type;
    m->reconciliation = s->gateway->reconciliation;
    m->state = MEMBER_JOINING;
    m->sub = (struct room_sub){
        .ops = &ops,
        .user_id = str_of(s->identity->user_id),
        .client_id = str_of(s->client_id),
        .presence = presence,
    };
    list_push_back(&s->memberships, &m->node);
    s->membership_count++;
    rooms_subscribe(s->gateway->rooms, wire_resource_str(&m->resource), type, &m->sub);
    return m;
}

void membership_defer_events(struct membership *m) {
    m->answers_open++;
    room_pause(&m->sub);
}

void membership_deliver_deferred(struct membership *m, int64_t rev,
                                 const struct lock_snapshot *snapshot) {
    m->send_open_requests = m->send_open_requests || rev > 0;
    if (m->answers_open > 0) {
        room_skip_until(&m->sub, rev);
    } else if (!room_activate(&m->sub, rev)) {
        session_close(m->session, WIRE_CLOSE_TOO_SLOW);
    } else if (m->send_open_requests) {
        m->send_open_requests = false;
        room_send_open_requests(&m->sub, snapshot);
    }
}

void membership_answer_sent(struct gateway *g, const char *session_id, uint64_t seq) {
    struct session *s = gateway_session(g, session_id);
    struct membership *m = s != NULL ? membership_by_seq(s, seq) : NULL;
    if (m != NULL && --m->answers_open == 0 && m->state == MEMBER_IN) {
        membership_deliver_deferred(m, 0, NULL);
    }
}
