/* The requests: one typed function a script. KEYS and arguments of each stand at the script's head.
 */
#include "store_private.h"

#include "crc16.h"

#include <assert.h>
#include <stdio.h>

#define REPORT_MAX 100
#define AHEAD_MAX_MS 86400000 /* as report.lua has it */

unsigned lock_store_shard(const struct lock_store *store, struct str resource) {
    return crc16(args_document(resource)) % store->shard_count;
}

int64_t lock_store_rev(const struct lock_store *store, struct str resource) {
    return store->shards[lock_store_shard(store, resource)].tick;
}

int64_t lock_store_fed(const struct lock_store *store, struct str resource) {
    return store->shards[lock_store_shard(store, resource)].cursor;
}

static struct shard *shard_of(struct lock_store *store, struct str resource) {
    return &store->shards[lock_store_shard(store, resource)];
}

static void on_done(struct script_call *call, const struct script_head *head,
                    const struct lock_result *result) {
    (void)head;
    call->cb(call->arg, result);
}

/* Whether the answer changed nothing and only says what the store knows. */
static bool only_tells(const struct lock_result *r) {
    return r->outcome == LOCK_OUT_NOT_JOINED || r->outcome == LOCK_OUT_NOT_HOLDER ||
           r->outcome == LOCK_OUT_LOST || r->outcome == LOCK_OUT_NOT_QUEUED ||
           r->outcome == LOCK_OUT_UNKNOWN_REQUEST ||
           (r->outcome == LOCK_OUT_NONE && r->event_count == 0); /* status */
}

/* A store that has lost its past knows little: to who is in the room it says NOT_JOINED, and who
 * joins sees nobody there and a free lock. That is no answer before it has been told what it should
 * know. */
static void on_answered(struct script_call *call, const struct script_head *head,
                        const struct lock_result *result) {
    static const struct lock_result unavailable = {.status = LOCK_UNAVAILABLE,
                                                   .error = "the store has lost its past"};
    static const struct lock_result unknown = {.status = LOCK_UNKNOWN,
                                               .error = "the store has lost its past"};
    const struct lock_store_callbacks *callbacks = &call->shard->store->callbacks;
    bool in_doubt = head->window != 0 && head->window != call->shard->reported;

    if (in_doubt && result->joined && result->outcome != LOCK_OUT_GRANTED) {
        for (size_t i = 0; i < result->event_count; i++) { /* the caller does not get to see them */
            callbacks->on_unasked(callbacks->ctx, &result->events[i], false);
        }
        call->cb(call->arg, &unknown);
        return;
    }
    call->cb(call->arg, in_doubt && only_tells(result) ? &unavailable : result);
}

/* Sends what a session asked for, if the shard is served. */
static void request(struct shard *s, const struct redis_script *script, struct script_args *a,
                    lock_cb cb, void *arg) {
    if (shard_serves(s)) {
        script_send(s, script, a, on_answered, cb, arg);
    } else {
        script_decline(s, "the shard is not served now", on_answered, cb, arg);
    }
}

/* The keys, and arguments 1 to 5, of everything that a session does in a room; gives its shard. */
static struct shard *begin(struct lock_store *store, struct script_args *a,
                           const struct lock_caller *caller) {
    struct shard *s = shard_of(store, caller->resource);

    args_init(a, &store->packed);
    args_keys_room(a, &s->keys, caller->resource, caller->user_id);
    args_not_after(a, store);
    args_str(a, caller->resource);
    args_str(a, caller->session_id);
    args_str(a, caller->user_id);
    args_str(a, caller->client_id);
    return s;
}

/* The same about a room, from nobody in it. */
static struct shard *begin_outside(struct lock_store *store, struct script_args *a,
                                   struct str resource) {
    struct shard *s = shard_of(store, resource);

    args_init(a, &store->packed);
    args_keys_room(a, &s->keys, resource, (struct str){NULL, 0});
    args_not_after(a, store);
    args_str(a, resource);
    return s;
}

/* Arguments 6 to 8 of what a lock or a place is to remember. */
static void add_person(struct script_args *a, const struct lock_caller *caller) {
    args_str(a, caller->username);
    args_flag(a, caller->client_made);
    args_policy(a, caller->policy);
}

/* Arguments 6 to 10 of what may grant or renew. */
static void add_terms(struct script_args *a, const struct lock_caller *caller) {
    add_person(a, caller);
    args_int(a, caller->policy->lock_ttl_ms);
    args_int(a, caller->policy->idle_release_ms);
}

/* 0: nobody queues. */
static void add_queue(struct script_args *a, const struct lock_caller *caller) {
    args_int(a, caller->policy->upgrade == CONFIG_UPGRADE_QUEUE ? caller->policy->max_waiters : 0);
}

/* A renewal is told at most once in half a heartbeat interval. */
static void add_tell(struct script_args *a, const struct lock_caller *caller) {
    args_int(a, caller->policy->heartbeat_interval_ms / 2);
}

void lock_join(struct lock_store *store, const struct lock_caller *caller, bool try_lock,
               int64_t token, lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    args_keys_members(&a, &s->keys, caller->resource);
    add_terms(&a, caller);
    args_int(&a, caller->policy->max_tab_locks);
    args_flag(&a, try_lock);
    add_tell(&a, caller);
    args_int(&a, token);
    args_int(&a, caller->policy->max_viewers);
    args_int(&a, caller->policy->presence_max_listed);
    add_queue(&a, caller);
    args_str(&a, caller->page_id);
    request(s, &lock_script_join, &a, cb, arg);
}

void lock_leave(struct lock_store *store, const struct lock_caller *caller, lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    args_keys_members(&a, &s->keys, caller->resource);
    request(s, &lock_script_leave, &a, cb, arg);
}

void lock_acquire(struct lock_store *store, const struct lock_caller *caller, enum lock_how how,
                  lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    add_terms(&a, caller);
    args_int(&a, caller->policy->max_tab_locks);
    args_int(&a, (int64_t)how);
    add_tell(&a, caller);
    add_queue(&a, caller);
    request(s, &lock_script_acquire, &a, cb, arg);
}

void lock_heartbeat(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                    bool active, int dirty, lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    add_terms(&a, caller);
    args_int(&a, token);
    args_flag(&a, active);
    add_tell(&a, caller);
    args_int(&a, dirty);
    request(s, &lock_script_heartbeat, &a, cb, arg);
}

static void release(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                    struct str revision, enum lock_cause reason, lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    args_int(&a, token);
    args_optional(&a, revision);
    args_str(&a, str_of(lock_cause_text(reason)));
    request(s, &lock_script_release, &a, cb, arg);
}

void lock_release(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                  struct str revision, lock_cb cb, void *arg) {
    release(store, caller, token, revision, LOCK_CAUSE_RELEASED, cb, arg);
}

void lock_give_up(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                  lock_cb cb, void *arg) {
    release(store, caller, token, (struct str){NULL, 0}, LOCK_CAUSE_STORE_LOST, cb, arg);
}

void lock_request(struct lock_store *store, const struct lock_caller *caller, struct str request_id,
                  struct str message, lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    add_person(&a, caller);
    args_str(&a, request_id);
    args_str(&a, message);
    args_int(&a, caller->policy->request_timeout_ms);
    args_int(&a, caller->policy->max_waiters);
    request(s, &lock_script_request, &a, cb, arg);
}

static struct str action_word(enum lock_action action) {
    switch (action) {
    case LOCK_APPROVE:
        return str_of("APPROVE");
    case LOCK_DENY:
        return str_of("DENY");
    case LOCK_IGNORE:
        break;
    }
    return str_of("IGNORE");
}

void lock_reply(struct lock_store *store, const struct lock_caller *caller, bool takeover,
                struct str request_id, enum lock_action action, struct str revision, lock_cb cb,
                void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    add_terms(&a, caller);
    args_str(&a, request_id);
    args_str(&a, action_word(action));
    args_optional(&a, revision);
    args_str(&a, str_of(takeover ? "TAKEOVER" : "REQUEST"));
    request(s, &lock_script_reply, &a, cb, arg);
}

static struct str what_word(enum lock_what what) {
    switch (what) {
    case LOCK_QUEUE_PLACE:
        return str_of("QUEUE");
    case LOCK_REQUEST:
        return str_of("REQUEST");
    case LOCK_TAKEOVER:
        break;
    }
    return str_of("TAKEOVER");
}

void lock_withdraw(struct lock_store *store, const struct lock_caller *caller, enum lock_what what,
                   struct str request_id, lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    args_str(&a, what_word(what));
    args_str(&a, request_id);
    request(s, &lock_script_withdraw, &a, cb, arg);
}

void lock_takeover(struct lock_store *store, const struct lock_caller *caller,
                   struct str request_id, struct str reason, bool wait, bool urgent, lock_cb cb,
                   void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    add_terms(&a, caller);
    add_tell(&a, caller);
    args_str(&a, request_id);
    args_str(&a, reason);
    args_int(&a, wait ? caller->policy->takeover_timeout_ms : 0);
    args_flag(&a, urgent);
    request(s, &lock_script_takeover, &a, cb, arg);
}

void lock_status(struct lock_store *store, struct str resource, lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin_outside(store, &a, resource);

    request(s, &lock_script_status, &a, cb, arg);
}

void lock_verify(struct lock_store *store, struct str resource, int64_t token, lock_cb cb,
                 void *arg) {
    struct script_args a;
    struct shard *s = begin_outside(store, &a, resource);

    args_int(&a, token);
    request(s, &lock_script_verify, &a, cb, arg);
}

void lock_operate(struct lock_store *store, struct str resource, const struct config_policy *policy,
                  bool takeover, const struct lock_operation *operation, lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin_outside(store, &a, resource);

    args_str(&a, str_of(takeover ? "TAKEOVER" : "RELEASE"));
    args_str(&a, operation->actor);
    args_str(&a, operation->reason);
    args_str(&a, operation->address);
    args_int(&a, operation->uid);
    args_policy(&a, policy);
    args_str(&a, takeover ? operation->user_id : str_of(""));
    request(s, &lock_script_operate, &a, cb, arg);
}

static struct str kind_word(enum lock_disconnect kind) {
    switch (kind) {
    case LOCK_DISCONNECT_LEFT:
        return str_of("LEFT");
    case LOCK_DISCONNECT_LOST:
        return str_of("LOST");
    case LOCK_DISCONNECT_SERVER:
        return str_of("SERVER");
    case LOCK_DISCONNECT_TERMINATED:
        return str_of("TERMINATED");
    case LOCK_DISCONNECT_STRAY:
        return str_of("STRAY");
    }
    return str_of("SERVER");
}

/* Takes away and grants nothing, so it needs neither a lease nor a synchronised shard, and of a
 * session that is gone no notAfter. */
void lock_disconnect(struct lock_store *store, const struct lock_caller *caller,
                     enum lock_disconnect kind, uint64_t ago_ms, lock_cb cb, void *arg) {
    struct shard *s = shard_of(store, caller->resource);
    struct script_args a;

    args_init(&a, &store->packed);
    args_keys_room(&a, &s->keys, caller->resource, caller->user_id);
    args_keys_members(&a, &s->keys, caller->resource);
    if (caller->lives_on) {
        args_not_after(&a, store);
    } else {
        args_int(&a, 0);
    }
    args_str(&a, caller->resource);
    args_str(&a, caller->session_id);
    args_str(&a, caller->user_id);
    args_str(&a, caller->client_id);
    args_str(&a, kind_word(kind));
    args_int(&a, (int64_t)ago_ms);
    script_send(s, &lock_script_disconnect, &a, on_done, cb, arg);
}

void lock_note_ending(struct lock_store *store, const struct lock_event *event) {
    if (!store->feed.from_reply) { /* else it was noted with the reply */
        endings_note(shard_of(store, event->resource), event);
    }
}

void lock_store_forgot(struct lock_store *store, struct str resource) {
    struct shard *s = shard_of(store, resource);

    if (s->state == SHARD_SERVING) { /* else everybody is being reported already */
        shard_resync(s, "a member is missing");
    }
}

/* ---- reports ---- */

static void on_report(struct script_call *call, const struct script_head *head,
                      const struct lock_result *result) {
    struct shard *s = call->shard;
    const struct lock_store_callbacks *callbacks = &s->store->callbacks;
    bool rewound = shard_is_refused(s, head);

    if (rewound) {
        shard_forget_tick(s, head->rev);
    }
    if (result->status == LOCK_OK && call->round == s->round && s->covered == 0) {
        s->covered = result->rev; /* the round's first: those behind it were answered later */
    }
    shard_report_ended(s, call->round, result->status == LOCK_OK);
    call->cb(call->arg, result);
    if (rewound) {
        callbacks->on_rewound(callbacks->ctx, s->index);
    }
}

/* Nobody can report a tick that the store would refuse: a lock with such a token is lost with the
 * past in which it was granted. */
static bool is_ahead(const struct shard *s, int64_t token) {
    return token > s->tick && token / 1000 > lock_store_now_ms(s->store) + AHEAD_MAX_MS;
}

/* Arguments 8 to 17: a lock that is reserved. */
static void add_reserved_lock(struct script_args *a, const struct lock_report_waiting *w) {
    args_int(a, 0);
    args_str(a, str_of(lock_state_text(LOCK_STATE_RESERVED)));
    args_str(a, w->user_id);
    args_str(a, w->username);
    args_str(a, w->client_id);
    args_flag(a, false);
    args_int(a, 0);
    args_int(a, 0);
    args_int(a, w->reserved_until_ms);
    args_flag(a, false);
}

/* Arguments 18 to 22. owner: of the lock, or NULL. */
static void add_knowledge(struct script_args *a, const struct shard *s,
                          const struct lock_report_waiting *w,
                          const struct lock_report_member *owner, int64_t seen_token,
                          int64_t known) {
    args_str(a, w->takeover);
    args_flag(a, owner && owner->prompt);
    args_str(a, owner ? owner->page_id : (struct str){NULL, 0});
    args_int(a, is_ahead(s, seen_token) ? 0 : seen_token);
    args_int(a, known);
}

/* Arguments 23 and on. */
static void add_waiting(struct script_args *a, const struct lock_report_waiting *w) {
    char id[LOCK_CLIENT_MAX + 1 + LOCK_USER_MAX + 1];

    args_int(a, (int64_t)w->waiter_count);
    for (size_t i = 0; i < w->waiter_count; i++) {
        const struct lock_waiter *v = &w->waiters[i];
        int len = snprintf(id, sizeof id, "%.*s:%.*s", (int)v->client_id.len, v->client_id.p,
                           (int)v->user_id.len, v->user_id.p);

        assert(len > 0 && (size_t)len < sizeof id);
        args_str(a, (struct str){id, (size_t)len});
        args_str(a, v->packed);
    }
}

/* Arguments 8 to 17: the lock of the one who has it. */
static void add_reported_lock(struct script_args *a, const struct lock_report_member *owner) {
    static const struct lock_report_member nobody;
    const struct lock_report_member *m = owner ? owner : &nobody;

    args_int(a, m->token);
    args_str(
        a,
        str_of(m->token == 0 ? "" : lock_state_text(m->gone ? LOCK_STATE_GRACE : LOCK_STATE_HELD)));
    args_str(a, m->user_id);
    args_str(a, m->username);
    args_str(a, m->client_id);
    args_flag(a, m->client_made);
    args_int(a, m->since_ms);
    args_int(a, m->expires_ms);
    args_int(a, m->gone ? m->grace_until_ms : 0);
    args_flag(a, m->dirty);
}

void lock_report(struct lock_store *store, struct str resource, const struct config_policy *policy,
                 const struct lock_report_member *members, size_t count,
                 const struct lock_report_waiting *waiting, int64_t seen_token, int64_t known,
                 lock_cb cb, void *arg) {
    struct shard *s = shard_of(store, resource);
    const struct lock_report_member *owner = NULL;
    struct script_args a;

    assert(count <= REPORT_MAX);
    for (size_t i = 0; i < count; i++) {
        if (members[i].token != 0 && !is_ahead(s, members[i].token)) {
            owner = &members[i];
        }
    }
    args_init(&a, &store->packed);
    args_keys_room(&a, &s->keys, resource, owner ? owner->user_id : (struct str){NULL, 0});
    args_keys_members(&a, &s->keys, resource);
    args_not_after(&a, store);
    args_str(&a, resource);
    args_int(&a, s->tick);
    args_int(&a, policy->presence_max_listed);
    args_policy(&a, policy);
    args_int(&a, policy->lock_ttl_ms);
    args_int(&a, policy->idle_release_ms);
    if (!owner && waiting->reserved_until_ms != 0) {
        add_reserved_lock(&a, waiting);
    } else {
        add_reported_lock(&a, owner);
    }
    add_knowledge(&a, s, waiting, owner, seen_token, known);
    add_waiting(&a, waiting);
    for (size_t i = 0; i < count; i++) {
        if (members[i].gone) {
            continue;
        }
        args_str(&a, members[i].user_id);
        args_str(&a, members[i].username);
        args_str(&a, members[i].client_id);
        args_str(&a, members[i].session_id);
        args_int(&a, members[i].joined_ms);
        args_str(&a, members[i].page_id);
    }
    s->reports_open++;
    if (s->state == SHARD_SYNCING) {
        script_send(s, &lock_script_report, &a, on_report, cb, arg);
    } else {
        script_decline(s, "the shard is not being resynchronised", on_report, cb, arg);
    }
}
