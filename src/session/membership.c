/* One room that a session has joined, is joining or is leaving. */
#include "membership.h"

#include <string.h>

#include "registry.h"
#include "wslock/base/mem.h"

void membership_destroy(struct membership *m) {
    struct session *s = m->session;
    room_unsubscribe(&m->sub);
    list_remove(&m->node);
    s->membership_count--;
    if (m->state == MEMBER_LEAVING) {
        s->leaving_count--;
    }
    mem_free(m);
}

struct membership *membership_find(struct session *s, struct str resource) {
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        if (m->state != MEMBER_LEAVING && str_eq(wire_resource_str(&m->resource), resource)) {
            return m;
        }
    }
    return NULL;
}

struct membership *membership_by_seq(struct session *s, uint64_t seq) {
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        if (m->seq == seq) {
            return m;
        }
    }
    return NULL;
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
        .policy = m->type->policy,
    };
}

struct wire_at membership_at(const struct membership *m) {
    struct lock_store *store = m->session->gateway->store;
    struct str resource = wire_resource_str(&m->resource);
    return (struct wire_at){resource, room_rev(&m->sub), lock_store_now_at_ms(store, resource)};
}

bool membership_may_edit(const struct membership *m) {
    return !m->type->policy->editor_roles.set ||
           auth_identity_has_role(m->session->identity, &m->type->policy->editor_roles);
}

void membership_note_id(char slot[RAND_ID_LEN + 1], struct str id) {
    size_t len = id.len <= RAND_ID_LEN ? id.len : 0;
    if (len > 0) {
        memcpy(slot, id.p, len);
    }
    slot[len] = '\0';
}

void membership_granted(struct membership *m, const struct lock_view *lock, int64_t rev) {
    if (m->lost_token >= lock->token && m->lost_rev <= rev) {
        m->lost_token = lock->token - 1; /* STORE_LOST was sent, but the lock is confirmed */
    }
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
    if (m->lost_token < token) {
        return;
    }
    m->token = 0;
    room_tell_ended(&m->sub, token, m->lost_reason);
}
