/* Requests of sessions: one typed function for each script. The head of each script lists its KEYS
 * and arguments. */
#include "event.h"
#include "shard.h"
#include "store_time.h"

/* The call changed nothing and returned only what the store knows. */
static bool is_only_state(const struct lock_result *r) {
    return r->outcome == LOCK_OUT_NOT_JOINED || r->outcome == LOCK_OUT_NOT_HOLDER ||
           r->outcome == LOCK_OUT_LOST || r->outcome == LOCK_OUT_NOT_QUEUED ||
           r->outcome == LOCK_OUT_UNKNOWN_REQUEST ||
           (r->outcome == LOCK_OUT_NONE && r->event_count == 0); /* status */
}

static void pass_common(const struct script_cb *cb, const struct script_reply *r) {
    cb->common(cb->arg, &r->common);
}

static const struct script_reply unavailable = {.common.status = LOCK_UNAVAILABLE,
                                                .common.error = "the store has lost data"};

/* A store that has lost data gives wrong answers until everything is reported again: a member gets
 * NOT_JOINED, a session that joins gets an empty room and a free lock. Such a reply is replaced. */
static const struct script_reply *trusted(const struct script_call *call,
                                          const struct script_reply *reply) {
    static const struct script_reply unknown = {.common.status = LOCK_UNKNOWN,
                                                .common.error = "the store has lost data"};
    bool unreported = reply->window != 0 && reply->window != call->shard->reported;

    if (unreported && reply->joined && reply->common.outcome != LOCK_OUT_GRANTED) {
        store_tell_unasked(call->shard->store, &reply->common);
        return &unknown;
    }
    return unreported && is_only_state(&reply->common) ? &unavailable : reply;
}

static void on_answered(struct script_call *call, const struct script_reply *reply) {
    call->cb.pass(&call->cb, trusted(call, reply));
}

/* A member departs, which leave.lua and disconnect.lua refuse until this instance has reported. */
static void on_departed(struct script_call *call, const struct script_reply *reply) {
    bool refused = reply->common.outcome == LOCK_OUT_RECOVERING;

    call->cb.pass(&call->cb, refused ? &unavailable : reply);
}

/* Sends a request of a session, if the shard is served. */
static void send_served(struct shard *s, const struct redis_script *script, struct script_args *a,
                        script_done done, struct script_cb cb) {
    if (shard_serves(s)) {
        script_send(s, script, a, done, cb);
    } else {
        script_decline(s, "the shard is not served now", done, cb);
    }
}

static void request(struct shard *s, const struct redis_script *script, struct script_args *a,
                    struct script_cb cb) {
    send_served(s, script, a, on_answered, cb);
}

/* The keys and arguments 1 to 5 of every request of a member. Returns the shard. */
static struct shard *begin(struct lock_store *store, struct script_args *a,
                           const struct lock_caller *caller) {
    struct shard *s = store_shard(store, caller->resource);

    args_init(a, &store->packed);
    args_keys_room(a, &s->keys, caller->resource, caller->user_id);
    args_not_after(a, s->node);
    args_str(a, caller->resource);
    args_str(a, caller->session_id);
    args_str(a, caller->user_id);
    args_str(a, caller->client_id);
    return s;
}

/* The keys and arguments 1 and 2 of a request that needs no membership. */
static struct shard *begin_outside(struct lock_store *store, struct script_args *a,
                                   struct str resource) {
    struct shard *s = store_shard(store, resource);

    args_init(a, &store->packed);
    args_keys_room(a, &s->keys, resource, (struct str){NULL, 0});
    args_not_after(a, s->node);
    args_str(a, resource);
    return s;
}

/* Arguments 6 to 8: what is stored with a lock or a place. */
static void add_person(struct script_args *a, const struct lock_caller *caller) {
    args_str(a, caller->username);
    args_flag(a, caller->client_made);
    args_policy(a, caller->policy);
}

/* Arguments 6 to 10 of a script that may grant or renew a lock. */
static void add_terms(struct script_args *a, const struct lock_caller *caller) {
    add_person(a, caller);
    args_int(a, caller->policy->lock_ttl_ms);
    args_int(a, caller->policy->idle_release_ms);
}

/* 0: there is no queue. */
static void add_queue(struct script_args *a, const struct config_policy *policy) {
    args_int(a, policy->upgrade == CONFIG_UPGRADE_QUEUE ? policy->max_waiters : 0);
}

/* A renewal makes an event at most once in half a heartbeat interval. */
static void add_event_interval(struct script_args *a, const struct lock_caller *caller) {
    args_int(a, caller->policy->heartbeat_interval_ms / 2);
}

static struct lock_acquire_result acquire_result(const struct script_reply *r) {
    return (struct lock_acquire_result){.common = r->common,
                                        .resumed = r->resumed,
                                        .previous = r->previous,
                                        .limit = r->limit,
                                        .held = r->names,
                                        .held_count = r->name_count,
                                        .position = r->position,
                                        .median_ms = r->snapshot.median_ms};
}

static void pass_join(const struct script_cb *cb, const struct script_reply *r) {
    const struct lock_join_result result = {.acquire = acquire_result(r),
                                            .joined = r->joined,
                                            .lost = r->lost,
                                            .snapshot = r->snapshot};

    cb->join(cb->arg, &result);
}

void lock_join(struct lock_store *store, const struct lock_caller *caller, bool try_lock,
               int64_t token, bool list, lock_join_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    add_terms(&a, caller);
    args_int(&a, caller->policy->max_tab_locks);
    args_flag(&a, try_lock);
    add_event_interval(&a, caller);
    args_int(&a, token);
    args_int(&a, caller->policy->max_viewers);
    args_int(&a, list ? caller->policy->presence_max_listed : 0);
    add_queue(&a, caller->policy);
    args_str(&a, caller->page_id);
    request(s, &lock_script_join, &a, (struct script_cb){pass_join, .join = cb, .arg = arg});
}

void lock_leave(struct lock_store *store, const struct lock_caller *caller, lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    send_served(s, &lock_script_leave, &a, on_departed,
                (struct script_cb){pass_common, .common = cb, .arg = arg});
}

static void pass_acquire(const struct script_cb *cb, const struct script_reply *r) {
    const struct lock_acquire_result result = acquire_result(r);

    cb->acquire(cb->arg, &result);
}

void lock_acquire(struct lock_store *store, const struct lock_caller *caller, enum lock_how how,
                  lock_acquire_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    add_terms(&a, caller);
    args_int(&a, caller->policy->max_tab_locks);
    args_int(&a, (int64_t)how);
    add_event_interval(&a, caller);
    add_queue(&a, caller->policy);
    request(s, &lock_script_acquire, &a,
            (struct script_cb){pass_acquire, .acquire = cb, .arg = arg});
}

static void pass_heartbeat(const struct script_cb *cb, const struct script_reply *r) {
    const struct lock_heartbeat_result result = {
        .common = r->common, .resumed = r->resumed, .lost = r->lost};

    cb->heartbeat(cb->arg, &result);
}

void lock_heartbeat(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                    bool active, int dirty, lock_heartbeat_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    add_terms(&a, caller);
    args_int(&a, token);
    args_flag(&a, active);
    add_event_interval(&a, caller);
    args_int(&a, dirty);
    request(s, &lock_script_heartbeat, &a,
            (struct script_cb){pass_heartbeat, .heartbeat = cb, .arg = arg});
}

static void release(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                    struct str revision, enum lock_cause reason, lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    args_int(&a, token);
    args_optional(&a, revision);
    args_str(&a, str_of(lock_cause_text(reason)));
    request(s, &lock_script_release, &a, (struct script_cb){pass_common, .common = cb, .arg = arg});
}

void lock_release(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                  struct str revision, lock_cb cb, void *arg) {
    release(store, caller, token, revision, LOCK_CAUSE_RELEASED, cb, arg);
}

void lock_give_up(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                  lock_cb cb, void *arg) {
    release(store, caller, token, (struct str){NULL, 0}, LOCK_CAUSE_STORE_LOST, cb, arg);
}

static void pass_request(const struct script_cb *cb, const struct script_reply *r) {
    const struct lock_request_result result = {
        .common = r->common, .request_id = r->request_id, .ends_ms = r->ends_ms};

    cb->request(cb->arg, &result);
}

void lock_request(struct lock_store *store, const struct lock_caller *caller, struct str request_id,
                  struct str message, lock_request_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    add_person(&a, caller);
    args_str(&a, request_id);
    args_str(&a, message);
    args_int(&a, caller->policy->request_timeout_ms);
    args_int(&a, caller->policy->max_waiters);
    request(s, &lock_script_request, &a,
            (struct script_cb){pass_request, .request = cb, .arg = arg});
}

static void pass_reply(const struct script_cb *cb, const struct script_reply *r) {
    const struct lock_reply_result result = {.common = r->common, .resumed = r->resumed};

    cb->reply(cb->arg, &result);
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
                struct str request_id, enum lock_action action, struct str revision,
                lock_reply_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    add_terms(&a, caller);
    args_str(&a, request_id);
    args_str(&a, action_word(action));
    args_optional(&a, revision);
    args_str(&a, str_of(takeover ? "TAKEOVER" : "REQUEST"));
    request(s, &lock_script_request_reply, &a,
            (struct script_cb){pass_reply, .reply = cb, .arg = arg});
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
    request(s, &lock_script_withdraw, &a,
            (struct script_cb){pass_common, .common = cb, .arg = arg});
}

static void pass_takeover(const struct script_cb *cb, const struct script_reply *r) {
    const struct lock_takeover_result result = {
        .common = r->common, .resumed = r->resumed, .previous = r->previous};

    cb->takeover(cb->arg, &result);
}

void lock_takeover(struct lock_store *store, const struct lock_caller *caller,
                   struct str request_id, struct str reason, struct str origin, bool wait,
                   bool urgent, lock_takeover_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin(store, &a, caller);

    add_terms(&a, caller);
    add_event_interval(&a, caller);
    args_str(&a, request_id);
    args_str(&a, reason);
    args_int(&a, wait ? caller->policy->takeover_timeout_ms : 0);
    args_flag(&a, urgent);
    args_str(&a, origin);
    request(s, &lock_script_takeover, &a,
            (struct script_cb){pass_takeover, .takeover = cb, .arg = arg});
}

void lock_status(struct lock_store *store, struct str resource, lock_cb cb, void *arg) {
    struct script_args a;
    struct shard *s = begin_outside(store, &a, resource);

    request(s, &lock_script_status, &a, (struct script_cb){pass_common, .common = cb, .arg = arg});
}

static void pass_verify(const struct script_cb *cb, const struct script_reply *r) {
    const struct lock_verify_result result = {
        .common = r->common, .lost = r->lost, .previous = r->previous};

    cb->verify(cb->arg, &result);
}

void lock_verify(struct lock_store *store, struct str resource, int64_t token, lock_verify_cb cb,
                 void *arg) {
    struct script_args a;
    struct shard *s = begin_outside(store, &a, resource);

    args_int(&a, token);
    request(s, &lock_script_verify, &a, (struct script_cb){pass_verify, .verify = cb, .arg = arg});
}

static void pass_operate(const struct script_cb *cb, const struct script_reply *r) {
    const struct lock_operate_result result = {
        .common = r->common, .ended = r->previous, .in_room = r->joined};

    cb->operate(cb->arg, &result);
}

void lock_operate(struct lock_store *store, struct str resource, const struct config_policy *policy,
                  bool takeover, const struct lock_operation *operation, lock_operate_cb cb,
                  void *arg) {
    struct script_args a;
    struct shard *s = begin_outside(store, &a, resource);

    args_str(&a, str_of(takeover ? "TAKEOVER" : "RELEASE"));
    args_str(&a, operation->actor);
    args_str(&a, operation->reason);
    args_str(&a, operation->address);
    args_int(&a, operation->uid);
    args_policy(&a, policy);
    args_str(&a, takeover ? operation->user_id : str_of(""));
    request(s, &lock_script_operate, &a,
            (struct script_cb){pass_operate, .operate = cb, .arg = arg});
}

#define ENDINGS_MAX 16 /* in the store */

static void pass_inspect(const struct script_cb *cb, const struct script_reply *r) {
    struct lock_ending endings[ENDINGS_MAX];
    struct lock_inspect_result result = {
        .common = r->common, .limit = r->limit, .snapshot = r->snapshot, .endings = endings};

    while (result.ending_count < r->name_count && result.ending_count < ENDINGS_MAX &&
           lock_ending_decode(r->names[result.ending_count], &endings[result.ending_count])) {
        result.ending_count++;
    }
    cb->inspect(cb->arg, &result);
}

void lock_inspect(struct lock_store *store, struct str resource, const struct config_policy *policy,
                  struct str user_id, int64_t listed, lock_inspect_cb cb, void *arg) {
    struct shard *s = store_shard(store, resource);
    struct script_args a;

    args_init(&a, &store->packed);
    args_keys_room(&a, &s->keys, resource, user_id);
    args_not_after(&a, s->node);
    args_str(&a, resource);
    args_str(&a, user_id);
    args_int(&a, policy->max_tab_locks);
    add_queue(&a, policy);
    args_int(&a, listed);
    request(s, &lock_script_inspect, &a,
            (struct script_cb){pass_inspect, .inspect = cb, .arg = arg});
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

/* This call grants nothing, so it is sent even without a lease, and while a shard is
 * resynchronised. What the script would refuse is not sent. It needs a notAfter only if the session
 * continues and may join again. */
void lock_disconnect(struct lock_store *store, const struct lock_caller *caller,
                     enum lock_disconnect kind, uint64_t ago_ms, lock_cb cb, void *arg) {
    const struct script_cb to = {pass_common, .common = cb, .arg = arg};
    struct shard *s = store_shard(store, caller->resource);
    struct script_args a;

    if (s->state == SHARD_AWAY || s->state == SHARD_OPENING ||
        (s->window != 0 && s->window != s->reported)) {
        script_decline(s, "the shard is not resynchronised", on_departed, to);
        return;
    }
    args_init(&a, &store->packed);
    args_keys_room(&a, &s->keys, caller->resource, caller->user_id);
    if (caller->lives_on) {
        args_not_after(&a, s->node);
    } else {
        args_int(&a, 0);
    }
    args_str(&a, caller->resource);
    args_str(&a, caller->session_id);
    args_str(&a, caller->user_id);
    args_str(&a, caller->client_id);
    args_str(&a, kind_word(kind));
    args_int(&a, (int64_t)ago_ms);
    script_send(s, &lock_script_disconnect, &a, on_departed, to);
}
