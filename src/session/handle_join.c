/* resource:join: joins the room, and with mode "editor" also acquires the lock. */
#include "answers.h"
#include "audit.h"
#include "disconnect.h"
#include "errors.h"
#include "handlers.h"
#include "registry.h"
#include "send.h"
#include "subscription.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#define JOIN_RETRY_MS 500 /* retryAfterMs while an abandoned join is being disconnected */

static bool agrees(const struct session *s, const char *mine, struct str given) {
    return given.len == 0 || (mine[0] == '\0' && !s->names_settled) || str_eqz(given, mine);
}

/* Settles clientId and pageId: given by the first join at the latest; a missing clientId is made.
 * Gives the field whose value differs from the settled one, or NULL. */
static const char *settle_names(struct session *s, const struct wire_request *r) {
    if (!agrees(s, s->client_id, r->client_id)) {
        return "clientId";
    }
    if (!agrees(s, s->page_id, r->page_id)) {
        return "pageId";
    }
    session_set_name(s->client_id, r->client_id);
    session_set_name(s->page_id, r->page_id);
    if (s->client_id[0] == '\0') {
        rand_id(s->client_id);
        s->client_made = true;
    }
    s->names_settled = true;
    return NULL;
}

static bool mine(const struct session *s, const struct lock_view *lock) {
    return lock->state != LOCK_STATE_FREE && str_eqz(lock->user_id, s->identity->user_id) &&
           str_eqz(lock->client_id, s->client_id);
}

static bool holds(const struct session *s, const struct lock_view *lock) {
    return mine(s, lock) && lock->state == LOCK_STATE_HELD;
}

static void send_joined(struct session *s, struct membership *m, struct call *call,
                        const struct lock_join_result *result) {
    const struct lock_snapshot *snap = &result->snapshot;
    struct wire_lock lock;
    room_wire_lock(&snap->lock, mine(s, &snap->lock), &lock);
    const struct lock_member self = {
        .user_id = str_of(s->identity->user_id),
        .username = str_of(s->identity->username),
        .client_id = str_of(s->client_id),
        .joined_ms = m->joined_ms,
    };
    struct wire_user *users;
    size_t count = room_joined_users(&m->sub, snap, &self, &users);
    struct wire_lost lost = {
        .token = result->lost.token,
        .reason = lock_cause_text(result->lost.reason),
        .at_ms = result->lost.ended_ms,
    };
    struct wire_to to = session_to(&call->ref, m->type->policy);
    if (!to.minimal) {
        lost.by = result->lost.by;
    }
    struct wire_at at = session_at(call, &result->acquire.common);
    struct wire_pending pending;
    struct wire_open_request *received;
    room_pending(&m->sub, snap, &pending, &received);
    session_send(s, wire_joined(&to, &at, holds(s, &snap->lock), str_of(s->client_id), &lock, users,
                                count, room_viewers(snap->member_count, &snap->lock),
                                m->type->policy, result->lost.present ? &lost : NULL, &pending));
    mem_free(received);
    mem_free(users);
}

static const char *not_joined(struct session *s, struct call *call,
                              const struct lock_acquire_result *result) {
    struct wire_error_extra extra = {.resource = wire_resource_str(&call->resource),
                                     .rev = result->common.rev,
                                     .limit = result->limit};
    bool full = result->common.outcome == LOCK_OUT_VIEWERS_FULL;
    enum wire_error_code code = full ? WIRE_ERR_MAX_VIEWERS_EXCEEDED : WIRE_ERR_INTERNAL;
    session_error(s, wire_request_name(call->kind), &call->ref, code,
                  full ? "The room has reached its limit of viewers."
                       : "The store returned an unexpected answer.",
                  &extra);
    return wire_error_name(code);
}

/* In this order: the room's state, the answer to an editor, the deferred events. */
static const char *joined(struct session *s, struct membership *m, struct call *call,
                          const struct lock_join_result *result) {
    const struct lock_result *common = &result->acquire.common;
    if (m->state == MEMBER_JOINING) {
        m->state = MEMBER_IN;
    }
    if (m->joined_ms == 0) {
        m->joined_ms = common->now_ms;
    }
    if (result->lost.present && result->lost.token == m->token) {
        membership_ended(m, common->rev, result->lost.reason);
    }
    room_take_snapshot(&m->sub, &result->snapshot);
    send_joined(s, m, call, result);
    if (result->lost.present) {
        metrics_add(METRIC_STALE_TOKENS, 1, NULL, NULL);
        session_audit_stale(m, call->token, lock_cause_text(result->lost.reason));
    }
    const struct lock_view *lock = &result->snapshot.lock;
    bool has = holds(s, lock); /* a viewer's join does not resume */
    if (common->outcome != LOCK_OUT_NONE) {
        (void)session_answer_acquire(s, m, call, NULL, &result->acquire);
    } else if (has && call->refused_editor) { /* it keeps a lock that it holds */
        struct lock_acquire_result kept = result->acquire;
        kept.common.outcome = LOCK_OUT_GRANTED;
        (void)session_answer_acquire(s, m, call, NULL, &kept);
    } else if (has) {
        membership_granted(m, lock, common->rev);
    } else if (call->refused_editor) {
        struct wire_at at = session_at(call, common);
        session_send_denied(s, m, call->kind, NULL, &at, "NOT_AN_EDITOR", lock);
    }
    membership_deliver_deferred(m, common->rev, &result->snapshot);
    return "ok";
}

/* The join failed. A session that is in the room already stays in it. If another join of it is
 * under way, that one decides. Otherwise the membership ends. */
static void not_in(struct membership *m, bool unknown) {
    if (m->state == MEMBER_IN) {
        membership_deliver_deferred(m, 0, NULL);
        return;
    }
    if (m->answers_open > 0) {
        return;
    }
    if (unknown) { /* the store may have joined it: disconnected there */
        m->session->join_abandoned = true;
        disconnect_start(m, LOCK_DISCONNECT_SERVER, true);
    }
    membership_destroy(m);
}

static void on_result(void *arg, const struct lock_join_result *result) {
    const struct lock_result *common = &result->acquire.common;
    struct call *call = arg;
    struct session *s = call_result(call, common);
    const char *outcome = "gone";
    struct membership *m = s != NULL ? call_membership(call, s) : NULL;
    if (m != NULL) {
        m->answers_open--;
    }
    if (m != NULL && session_failed(s, call, common)) {
        outcome = wire_error_name(WIRE_ERR_BACKEND_UNAVAILABLE);
        not_in(m, common->status == LOCK_UNKNOWN);
    } else if (m != NULL && result->joined) {
        outcome = joined(s, m, call, result);
    } else if (m != NULL) {
        outcome = not_joined(s, call, &result->acquire);
        not_in(m, false);
    } else if (s != NULL) {
        outcome = session_room_gone(s, call, common);
    }
    call_end(call, outcome);
}

void handle_join(struct session *s, const struct wire_request *r, struct membership *m,
                 const struct config_resource_type *type) {
    struct wire_error_extra extra = {.resource = wire_resource_str(&r->resource)};
    extra.field = settle_names(s, r);
    if (extra.field != NULL) {
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_INVALID_ARGUMENT,
                       "The connection already has another value of this field; it cannot change "
                       "after the first join.",
                       &extra);
        return;
    }
    m = membership_find(s, extra.resource);
    int64_t limit = s->gateway->parts.config->limits.max_rooms_per_connection;
    if (m == NULL && (int64_t)(s->membership_count - s->leaving_count) >= limit) {
        extra.limit = limit;
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_TOO_MANY_ROOMS,
                       "This connection has reached its limit of rooms.", &extra);
        return;
    }
    if (s->join_abandoned && !disconnect_cancel(s, extra.resource)) {
        extra.retry_after_ms = JOIN_RETRY_MS;
        session_refuse(s, r->kind, &r->ref, WIRE_ERR_BACKEND_UNAVAILABLE,
                       "An earlier join of this resource failed and is still being cancelled; try "
                       "again later.",
                       &extra);
        return;
    }
    if (m == NULL) {
        m = membership_create(s, &r->resource, type, r->presence);
    }
    m->sub.presence = r->presence;
    membership_defer_events(m);
    struct call *call = call_begin(s, r, m, type);
    call->refused_editor = r->editor && !membership_may_edit(m);
    struct lock_caller caller;
    membership_caller(m, &caller);
    bool try_lock = r->editor && !call->refused_editor;
    bool list = !room_has_users(&m->sub);
    lock_join(s->gateway->store, &caller, try_lock, r->token, list, on_result, call);
}
