/* What one session has to do with one room. */
#include "private.h"

#include "wslock/base/mem.h"

static struct membership *of_sub(struct room_sub *sub) {
    return CONTAINER_OF(sub, struct membership, sub);
}

static void deliver(struct room_sub *sub, struct wire_message *message) {
    session_send(of_sub(sub)->session, wire_message_ref(message));
}

static bool on_lost(struct room_sub *sub, int64_t rev, int64_t token, enum lock_cause reason) {
    struct membership *m = of_sub(sub);
    if (token <= m->lost_token)
        return false;
    m->lost_token = token;
    m->lost_rev = rev;
    m->lost_reason = reason;
    if (m->token <= token)
        m->token = 0;
    return true;
}

static bool describe(struct room_sub *sub, struct lock_report_member *out) {
    struct membership *m = of_sub(sub);
    struct session *s = m->session;
    struct lock_view lock;
    room_lock(sub, &lock);
    bool known = lock.token == m->token; /* to the feed */
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

/* Where its own request did it, that is answered; and replies may have told already of a later
 * grant, or of this one's end. */
static struct wire_message *granted(struct room_sub *sub, const struct wire_at *at,
                                    const struct lock_event *e) {
    struct membership *m = of_sub(sub);
    bool over =
        e->lock.token < m->token || (e->lock.token <= m->lost_token && at->rev < m->lost_rev);
    if (over || str_eqz(e->actor_session_id, m->session->id))
        return NULL;
    return session_acquired(m->session, m, NULL, at, &e->lock, &e->ended, false);
}

static struct wire_message *lifted(struct room_sub *sub, const struct wire_at *at,
                                   const struct lock_view *lock) {
    static const struct lock_ending none;
    struct membership *m = of_sub(sub);
    return session_acquired(m->session, m, NULL, at, lock, &none, true);
}

static const struct room_sub_ops ops = {.deliver = deliver,
                                        .on_lost = on_lost,
                                        .granted = granted,
                                        .lifted = lifted,
                                        .describe = describe};

struct membership *membership_create(struct session *s, const struct wire_resource *resource,
                                     const struct config_policy *policy,
                                     enum wire_presence presence) {
    static uint64_t seq;
    struct membership *m = mem_zalloc(sizeof *m);
    m->session = s;
    m->seq = ++seq;
    m->resource = *resource;
    m->policy = policy;
    m->compared = s->gateway->comparison;
    m->state = MEMBER_JOINING;
    m->sub = (struct room_sub){
        .ops = &ops,
        .user_id = str_of(s->identity->user_id),
        .client_id = str_of(s->client_id),
        .presence = presence,
    };
    list_push_back(&s->memberships, &m->node);
    s->membership_count++;
    rooms_subscribe(s->gateway->rooms, wire_resource_str(&m->resource), policy, &m->sub);
    return m;
}

void membership_destroy(struct membership *m) {
    struct session *s = m->session;
    room_unsubscribe(&m->sub);
    list_remove(&m->node);
    s->membership_count--;
    if (m->state == MEMBER_LEAVING)
        s->leaving_count--;
    mem_free(m);
}

struct membership *membership_find(struct session *s, struct str resource) {
    LIST_FOREACH_SAFE(it, tmp, &s->memberships) {
        struct membership *m = CONTAINER_OF(it, struct membership, node);
        if (m->state != MEMBER_LEAVING && str_eq(wire_resource_str(&m->resource), resource))
            return m;
    }
    return NULL;
}

struct membership *membership_by_seq(struct session *s, uint64_t seq) {
    LIST_FOREACH_SAFE(it, tmp, &s->memberships) {
        struct membership *m = CONTAINER_OF(it, struct membership, node);
        if (m->seq == seq)
            return m;
    }
    return NULL;
}

void membership_hold(struct membership *m) {
    m->answers_open++;
    room_pause(&m->sub);
}

void membership_resume(struct membership *m, int64_t rev, const struct lock_snapshot *snapshot) {
    m->tell_again = m->tell_again || rev > 0;
    if (m->answers_open > 0) {
        room_told(&m->sub, rev);
    } else if (!room_activate(&m->sub, rev)) {
        session_close(m->session, WIRE_CLOSE_TOO_SLOW);
    } else if (m->tell_again) {
        m->tell_again = false;
        room_tell_again(&m->sub, snapshot);
    }
}

void membership_note_id(char slot[RAND_ID_LEN + 1], struct str id) {
    size_t len = id.len <= RAND_ID_LEN ? id.len : 0;
    if (len > 0)
        memcpy(slot, id.p, len);
    slot[len] = '\0';
}

void membership_caller(const struct membership *m, struct lock_caller *out) {
    const struct session *s = m->session;
    *out = (struct lock_caller){
        .resource = wire_resource_str(&m->resource),
        .user_id = str_of(s->identity->user_id),
        .username = str_of(s->identity->username),
        .client_id = str_of(s->client_id),
        .page_id = str_of(s->page_id),
        .session_id = str_of(s->id),
        .client_made = s->client_made,
        .policy = m->policy,
    };
}

void membership_granted(struct membership *m, const struct lock_view *lock, int64_t rev) {
    if (m->lost_token >= lock->token && m->lost_rev <= rev)
        m->lost_token = lock->token - 1; /* told STORE_LOST, and confirmed after all */
    m->token = lock->token;
    m->since_ms = lock->since_ms;
    m->expires_ms = lock->expires_ms;
    m->dirty = lock->dirty;
    room_note_lock(&m->sub, lock);
}

void membership_ended(struct membership *m, int64_t rev, enum lock_cause reason) {
    if (m->token > m->lost_token) {
        m->lost_token = m->token;
        m->lost_rev = rev;
        m->lost_reason = reason;
    }
    m->token = 0;
}

void membership_check_lost(struct membership *m, int64_t token) {
    if (m->lost_token < token)
        return;
    m->token = 0;
    room_tell_ended(&m->sub, token, m->lost_reason);
}

bool membership_may_edit(const struct membership *m) {
    return !m->policy->editor_roles.set ||
           auth_identity_has_role(m->session->identity, &m->policy->editor_roles);
}
