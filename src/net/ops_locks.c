/* GET /v1/locks and GET /v1/locks/{resourceId}. */
#include "ops_locks.h"

#include <stdio.h>

#include "http_call.h"
#include "ops.h"
#include "ops_query.h"
#include "wslock/base/jsonw.h"
#include "wslock/base/mem.h"
#include "wslock/session/inspect.h"
#include "wslock/session/verify.h"

static void refuse_unavailable(struct http_response *response) {
    http_error(response, 503, "BACKEND_UNAVAILABLE",
               "the store is unavailable, or did not answer in time: try again");
    buf_append_str(&response->headers, "Retry-After: 1\r\n");
}

static void put_time(struct jsonw *w, const char *key, int64_t at_ms) {
    if (at_ms > 0) {
        jsonw_ki64(w, key, at_ms);
    }
}

/* The members of a lock's object. */
static void put_lock(struct jsonw *w, struct str resource, const struct lock_view *v) {
    jsonw_kstr(w, "resourceId", resource);
    jsonw_kcstr(w, "state", lock_state_text(v->state));
    if (lock_is_owned(v)) {
        jsonw_key(w, "holder");
        jsonw_object_open(w);
        jsonw_kstr(w, "userId", v->user_id);
        jsonw_kstr(w, "username", v->username.len > 0 ? v->username : v->user_id);
        jsonw_kstr(w, "clientId", v->client_id);
        jsonw_ki64(w, "token", v->token);
        jsonw_object_close(w);
        put_time(w, "since", v->since_ms);
        put_time(w, "expiresAt", v->expires_ms);
        put_time(w, "idleReleaseAt", v->idle_until_ms);
        put_time(w, "graceUntil", v->grace_until_ms);
        jsonw_kbool(w, "dirty", v->dirty);
    } else if (v->state == LOCK_STATE_RESERVED) {
        ops_put_person(w, "reservedFor", v->user_id, v->username, 0);
        put_time(w, "reservedUntil", v->reserved_until_ms);
    }
    if (v->state == LOCK_STATE_GRACE) {
        jsonw_kbool(w, "claimable", v->prompt);
    }
    if (lock_is_owned(v) && v->page_id.len > 0) {
        jsonw_kstr(w, "page", v->page_id);
    }
    jsonw_ki64(w, "queueLength", v->queue_length);
}

/* ---- a list ---- */

static void on_list(void *arg, const struct lock_list_result *result) {
    struct http_response response;
    struct jsonw w;
    http_response_init(&response);
    if (result->status != LOCK_OK) {
        refuse_unavailable(&response);
        http_call_answer(arg, &response);
        return;
    }
    ops_begin_object(&response, &w);
    jsonw_ki64(&w, "now", result->now_ms);
    jsonw_key(&w, "locks");
    jsonw_array_open(&w);
    for (size_t i = 0; i < result->count; i++) {
        jsonw_object_open(&w);
        put_lock(&w, result->locks[i].resource, &result->locks[i].lock);
        jsonw_object_close(&w);
    }
    jsonw_array_close(&w);
    jsonw_key(&w, "next");
    if (result->next.len > 0) {
        jsonw_str(&w, result->next);
    } else {
        jsonw_null(&w);
    }
    jsonw_object_close(&w);
    http_call_answer(arg, &response);
}

/* What a resource type consists of. */
static bool is_type(struct str type) {
    for (size_t i = 0; i < type.len; i++) {
        char c = type.p[i];
        if (!((c >= 'a' && c <= 'z') || (i > 0 && (c == '-' || (c >= '0' && c <= '9'))))) {
            return false;
        }
    }
    return type.len <= 64;
}

static bool is_cursor(struct str after) {
    struct wire_resource resource;
    return after.len == 0 || wire_resource_parse(after, true, &resource);
}

void ops_list_locks(const struct http_request *request, struct http_response *response) {
    struct ops_query q;
    if (!ops_read_query(request,
                        OPS_TAKES(OPS_TYPE) | OPS_TAKES(OPS_USER) | OPS_TAKES(OPS_SEARCH) |
                            OPS_TAKES(OPS_AFTER) | OPS_TAKES(OPS_LIMIT) | OPS_TAKES(OPS_ACTOR),
                        &q, response)) {
        return;
    }
    const struct lock_filter filter = {
        .type = ops_value(&q, OPS_TYPE),
        .user_id = ops_value(&q, OPS_USER),
        .search = ops_value(&q, OPS_SEARCH),
        .after = ops_value(&q, OPS_AFTER),
        .limit = (size_t)q.limit,
    };
    if (!is_type(filter.type)) {
        http_error(response, 400, "INVALID_ARGUMENT",
                   "type must be a resource type: a lower-case letter, then lower-case letters, "
                   "digits and hyphens, 64 in all");
    } else if (!is_cursor(filter.after)) {
        http_error(response, 400, "INVALID_ARGUMENT",
                   "after must be what an earlier page has as next");
    } else if (ops_record_query(request, &q, str_of(""), "locks", response)) {
        response->later =
            gateway_list_locks(request->conn->net->gateway, &filter, on_list, request->call);
        if (!response->later) {
            ops_refuse_busy(response);
        }
    }
}

/* ---- one lock ---- */

struct inspection {
    struct http_call *call;
    struct net *net;
    struct wire_resource resource;
    bool judged;
};

static void put_waiters(struct jsonw *w, const struct lock_view *lock,
                        const struct lock_snapshot *snapshot) {
    int64_t position = 0;
    jsonw_key(w, "waiters");
    jsonw_array_open(w);
    for (size_t i = 0; i < snapshot->waiter_count; i++) {
        const struct lock_waiter *v = &snapshot->waiters[i];
        bool turn = lock->state == LOCK_STATE_RESERVED && str_eq(v->user_id, lock->user_id) &&
                    str_eq(v->client_id, lock->client_id);
        jsonw_object_open(w);
        jsonw_ki64(w, "position", turn ? 0 : ++position);
        jsonw_kstr(w, "userId", v->user_id);
        jsonw_kstr(w, "username", v->username.len > 0 ? v->username : v->user_id);
        jsonw_kcstr(w, "kind", v->requests ? "request" : "queue");
        put_time(w, "since", v->since_ms);
        put_time(w, "until", turn ? lock->reserved_until_ms : v->ends_ms);
        jsonw_object_close(w);
    }
    jsonw_array_close(w);
}

static void put_takeover(struct jsonw *w, const struct lock_takeover *t) {
    jsonw_key(w, "takeover");
    if (!t->present) {
        jsonw_null(w);
        return;
    }
    jsonw_object_open(w);
    jsonw_kstr(w, "adminId", t->user_id);
    jsonw_kstr(w, "adminName", t->username.len > 0 ? t->username : t->user_id);
    jsonw_kstr(w, "reason", t->reason);
    put_time(w, "until", t->force_at_ms);
    jsonw_object_close(w);
}

static void put_members(struct jsonw *w, const struct lock_view *lock,
                        const struct lock_snapshot *snapshot) {
    jsonw_key(w, "members");
    jsonw_array_open(w);
    for (size_t i = 0; i < snapshot->member_listed; i++) {
        const struct lock_member *m = &snapshot->members[i];
        bool edits = lock_is_owned(lock) && str_eq(m->user_id, lock->user_id) &&
                     str_eq(m->client_id, lock->client_id);
        jsonw_object_open(w);
        jsonw_kstr(w, "sessionId", m->session_id);
        jsonw_kstr(w, "userId", m->user_id);
        jsonw_kstr(w, "username", m->username.len > 0 ? m->username : m->user_id);
        jsonw_kcstr(w, "mode", edits ? "editor" : "viewer");
        jsonw_kbool(w, "connected", true);
        jsonw_object_close(w);
    }
    jsonw_array_close(w);
    jsonw_ki64(w, "memberCount", snapshot->member_count);
}

static void put_endings(struct jsonw *w, const struct lock_inspect_result *result) {
    jsonw_key(w, "endings");
    jsonw_array_open(w);
    for (size_t i = 0; i < result->ending_count; i++) {
        const struct lock_ending *e = &result->endings[i];
        jsonw_object_open(w);
        jsonw_kstr(w, "userId", e->user_id);
        jsonw_kstr(w, "username", e->username.len > 0 ? e->username : e->user_id);
        jsonw_ki64(w, "token", e->token);
        jsonw_kcstr(w, "reason", lock_cause_text(e->reason));
        put_time(w, "endedAt", e->ended_ms);
        if (e->by.len > 0) {
            jsonw_kstr(w, "by", e->by);
        }
        jsonw_object_close(w);
    }
    jsonw_array_close(w);
}

static void put_acquire(struct jsonw *w, const struct lock_inspect_result *result) {
    static const struct {
        enum lock_outcome outcome;
        const char *name, *message;
    } OUTCOMES[] = {
        {LOCK_OUT_GRANTED, "GRANTED", "the user would get the lock"},
        {LOCK_OUT_QUEUED, "QUEUED", "the user would get a place in the queue"},
        {LOCK_OUT_QUEUE_FULL, "QUEUE_FULL", "the queue is full (maxWaiters)"},
        {LOCK_OUT_HELD, "HELD", "another user has the lock"},
        {LOCK_OUT_HELD_BY_YOU, "HELD_BY_YOU", "another tab of this user has the lock"},
        {LOCK_OUT_GRACE, "GRACE", "the lock is kept for its holder, whose connection has ended"},
        {LOCK_OUT_RESERVED, "RESERVED", "the lock is reserved for another user"},
        {LOCK_OUT_TAB_LIMIT, "TAB_LIMIT",
         "the user has as many locks in this document as it may (maxConcurrentTabLocksPerUser)"},
        {LOCK_OUT_RECOVERING, "RECOVERING", "a recovery window is open: nothing is granted"},
    };
    jsonw_key(w, "acquire");
    jsonw_object_open(w);
    for (size_t i = 0; i < ARRAY_LEN(OUTCOMES); i++) {
        if (OUTCOMES[i].outcome == result->common.outcome) {
            jsonw_kcstr(w, "outcome", OUTCOMES[i].name);
            jsonw_kcstr(w, "message", OUTCOMES[i].message);
        }
    }
    jsonw_object_close(w);
}

static void put_inspected(const struct inspection *i, const struct lock_inspect_result *result,
                          struct http_response *response) {
    const struct lock_view *lock = &result->common.lock;
    struct jsonw w;
    ops_begin_object(response, &w);
    jsonw_ki64(&w, "now", result->common.now_ms);
    put_lock(&w, wire_resource_str(&i->resource), lock);
    put_time(&w, "lastHeartbeatAt", lock_renewed_ms(lock));
    put_waiters(&w, lock, &result->snapshot);
    put_takeover(&w, &lock->takeover);
    put_members(&w, lock, &result->snapshot);
    put_endings(&w, result);
    if (config_file_name(i->net->parts.config) != NULL) {
        jsonw_kcstr(&w, "configFile", config_file_name(i->net->parts.config));
    }
    jsonw_key(&w, "policy");
    config_explain(i->net->parts.config, gateway_policy_of(i->net->gateway, &i->resource),
                   wire_resource_type(&i->resource), &w);
    if (i->judged) {
        put_acquire(&w, result);
    }
    jsonw_object_close(&w);
}

static void on_inspected(void *arg, const struct lock_inspect_result *result) {
    struct inspection *i = arg;
    struct http_response response;
    http_response_init(&response);
    if (result->common.status != LOCK_OK) {
        refuse_unavailable(&response);
    } else if (!gateway_knows_resource(i->net->gateway, &i->resource)) { /* since a reload */
        http_error(&response, 404, "UNKNOWN_RESOURCE_TYPE", "there is no such resource type");
    } else {
        put_inspected(i, result, &response);
    }
    http_call_answer(i->call, &response);
    mem_free(i);
}

void ops_inspect_lock(const struct http_request *request, struct http_response *response) {
    struct net *n = request->conn->net;
    struct wire_resource resource;
    struct ops_query q;
    if (!ops_read_resource(request, &resource, response) ||
        !ops_read_query(request, OPS_TAKES(OPS_USER) | OPS_TAKES(OPS_ACTOR), &q, response) ||
        !ops_record_query(request, &q, wire_resource_str(&resource), "lock", response)) {
        return;
    }
    struct inspection *i = mem_alloc(sizeof *i);
    *i = (struct inspection){request->call, n, resource, q.value[OPS_USER][0] != '\0'};
    response->later = true;
    gateway_inspect_lock(n->gateway, &resource, ops_value(&q, OPS_USER), on_inspected, i);
}
