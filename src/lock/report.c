/*
 * Resynchronising a shard: reports everything that this instance has in the shard. In a recovery
 * window the endings of grants come first. Each room is reported with calls of its own. After
 * lock_report_done the round of reports is complete.
 */
#include <assert.h>
#include <stdio.h>

#include "endings.h"
#include "instances.h"
#include "shard.h"
#include "store_time.h"

#define MEMBERS_MAX 100
#define AHEAD_MAX_MS 86400000 /* the same as in report.lua */

static void tell_rewound(const struct shard *s) {
    s->store->callbacks.on_rewound(s->store->callbacks.ctx, s->index);
}

/* ---- rooms ---- */

static void pass_report(const struct script_cb *cb, const struct script_reply *r) {
    const struct lock_report_result result = {.common = r->common,
                                              .lost = r->lost,
                                              .superseded = r->names,
                                              .superseded_count = r->name_count,
                                              .snapshot = r->snapshot};

    cb->report(cb->arg, &result);
}

static void on_room_reported(struct script_call *call, const struct script_reply *reply) {
    struct shard *s = call->shard;
    bool rewound;

    if (reply->common.status == LOCK_OK && call->round == s->round && s->covered == 0) {
        s->covered = reply->common.rev; /* of the first answer; the others are later */
    }
    rewound = shard_report_ended(call, reply);
    call->cb.pass(&call->cb, reply);
    if (rewound) {
        tell_rewound(s);
    }
}

/* The store refuses such a tick. A lock with such a token was lost with the store's data. */
static bool is_ahead(const struct shard *s, int64_t token) {
    return token > s->tick && token / 1000 > node_now_ms(s->node) + AHEAD_MAX_MS;
}

/* Arguments 8 to 17: a reserved lock. */
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

/* Arguments 18 to 22. owner: of the lock; NULL: none of the members. */
static void add_knowledge(struct script_args *a, const struct shard *s,
                          const struct lock_report_waiting *w,
                          const struct lock_report_member *owner, int64_t seen_token,
                          int64_t known) {
    args_str(a, w->takeover);
    args_flag(a, owner != NULL && owner->prompt);
    args_str(a, owner != NULL ? owner->page_id : (struct str){NULL, 0});
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

/* Arguments 8 to 17: the lock of its owner. owner NULL: no lock. */
static void add_reported_lock(struct script_args *a, const struct lock_report_member *owner) {
    static const struct lock_report_member nobody;
    const struct lock_report_member *m = owner != NULL ? owner : &nobody;

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

/* ---- the beginning of a round ---- */

/* The grant ended like that before the store lost it; the audit has that change. */
static bool is_repeated_ending(const struct lock_event *event) {
    return event->kind == LOCK_EVENT_LOCK && event->ended.present &&
           event->cause == event->ended.reason;
}

static void on_endings_reported(struct script_call *call, const struct script_reply *reply) {
    struct shard *s = call->shard;
    const struct lock_store_callbacks *callbacks = &s->store->callbacks;
    bool rewound = shard_report_ended(call, reply);

    for (size_t i = 0; i < reply->common.event_count && !s->store->closing; i++) {
        const struct lock_event *event = &reply->common.events[i];

        if (!is_repeated_ending(event)) {
            callbacks->on_unasked(callbacks->ctx, event, false);
        }
    }
    if (rewound) {
        tell_rewound(s);
    }
}

/* Once in a round, before the rooms: a lock that the store has again ends as it has ended, not as
 * one that its owner does not know. Also without endings, since the call reports the shard's tick.
 */
static void report_endings(struct shard *s) {
    struct list *next = NULL;
    struct script_args a;
    bool more;

    if (s->window == 0 || s->endings_round == s->round) {
        return;
    }
    s->endings_round = s->round;
    do {
        args_init(&a, &s->store->packed);
        args_keys_shard(&a, &s->keys);
        args_not_after(&a, s->node);
        args_int(&a, s->tick);
        more = endings_add(s, &a, &next);
        s->reports_open++;
        script_send(s, &lock_script_endings, &a, on_endings_reported, (struct script_cb){0});
    } while (more);
}

void lock_report(struct lock_store *store, struct str resource, const struct config_policy *policy,
                 const struct lock_report_member *members, size_t count,
                 const struct lock_report_waiting *waiting, int64_t seen_token, int64_t known,
                 lock_report_cb cb, void *arg) {
    struct shard *s = store_shard(store, resource);
    const struct script_cb to = {.pass = pass_report, .report = cb, .arg = arg};
    const struct lock_report_member *owner = NULL;
    struct script_args a;

    assert(count <= MEMBERS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (members[i].token != 0 && !is_ahead(s, members[i].token)) {
            owner = &members[i];
        }
    }
    if (s->state == SHARD_SYNCING) {
        report_endings(s);
    }
    args_init(&a, &store->packed);
    args_keys_room(&a, &s->keys, resource, owner != NULL ? owner->user_id : (struct str){NULL, 0});
    args_not_after(&a, s->node);
    args_str(&a, resource);
    args_int(&a, s->tick);
    args_int(&a, policy->presence_max_listed);
    args_policy(&a, policy);
    args_int(&a, policy->lock_ttl_ms);
    args_int(&a, policy->idle_release_ms);
    if (owner == NULL && waiting->reserved_until_ms != 0) {
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
        script_send(s, &lock_script_report, &a, on_room_reported, to);
    } else {
        script_decline(s, "the shard is not being resynchronised", on_room_reported, to);
    }
}

/* ---- the end of a round ---- */

static void on_reported(struct script_call *call, const struct script_reply *reply) {
    store_tell_unasked(call->shard->store, &reply->common); /* a window that closes may end locks */
    shard_sync_ended(call->shard, call->round, reply->common.status == LOCK_OK);
}

void lock_report_done(struct lock_store *store, unsigned shard) {
    struct shard *s = &store->shards[shard];
    struct script_args a;

    if (s->state != SHARD_SYNCING || store->closing) {
        return;
    }
    if (s->report_failed) {
        shard_sync_ended(s, s->round, false);
        return;
    }
    report_endings(s);
    args_init(&a, &store->packed);
    args_keys_shard(&a, &s->keys);
    args_not_after(&a, s->node);
    args_int(&a, store->config->redis.lease_ms);
    args_flag(&a, store->config->redis.embedded);
    args_int(&a, store_longest_grace_ms(store));
    args_int(&a, s->sync_window);
    args_int(&a, s->contact_ms);
    instances_add(s, &a);
    script_send(s, &lock_script_report_done, &a, on_reported, (struct script_cb){0});
}

void lock_store_forgot(struct lock_store *store, struct str resource) {
    struct shard *s = store_shard(store, resource);

    if (s->state == SHARD_SERVING) { /* else everything is being reported already */
        shard_resync(s, "a member is missing");
    }
}
