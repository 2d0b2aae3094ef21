/* Every call of lock.h on a real Redis, and the events that it causes, by the feed. */
#include "lock_harness.h"

#define R "contract:7:main"
#define OTHER "contract:8:main"

static int setup(void **state) {
    *state = harness_create();
    return 0;
}

static int teardown(void **state) {
    harness_destroy(*state);
    return 0;
}

static void a_lock_is_taken_kept_and_released(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann, bob;
    int64_t token;

    harness_start(h);
    ann = harness_caller(h, "ann", "s1", R);
    bob = harness_caller(h, "bob", "s2", R);
    CALL(h, &r, lock_acquire(h->a.store, &ann, LOCK_ACQUIRE, ACQUIRE_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_NOT_JOINED);
    CALL(h, &r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, &r));
    assert_int_equal(r.status, LOCK_OK);
    assert_int_equal(r.result.outcome, LOCK_OUT_GRANTED);
    assert_true(r.joined);
    assert_int_equal(r.members, 1);
    assert_string_equal(r.member[0], "ann");
    assert_int_equal(r.member_count, 1);
    assert_int_equal(r.result.event_count, 2);
    token = r.result.lock.token;
    assert_true(token > 0 && r.result.rev == token);
    assert_in_range(r.result.lock.expires_ms - r.result.now_ms, 60000, 60000);
    CALL(h, &r, lock_join(h->a.store, &bob, true, 0, true, JOIN_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_HELD);
    assert_true(r.joined);
    assert_int_equal(r.members, 2);
    CALL(h, &r, lock_heartbeat(h->a.store, &ann, token, true, 1, HEARTBEAT_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_RENEWED);
    assert_true(r.result.lock.dirty);
    CALL(h, &r, lock_heartbeat(h->a.store, &bob, token, true, -1, HEARTBEAT_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_LOST);
    assert_int_equal(r.lost.reason, LOCK_CAUSE_NOT_HELD);
    CALL(h, &r, lock_release(h->a.store, &bob, 0, (struct str){NULL, 0}, CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_NOT_HOLDER);
    CALL(h, &r, lock_release(h->a.store, &ann, token, str_of("v42"), CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_RELEASED);
    CALL(h, &r, lock_release(h->a.store, &ann, token, (struct str){NULL, 0}, CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_RELEASED); /* a repeat is harmless */
    CALL(h, &r, lock_acquire(h->a.store, &bob, LOCK_ACQUIRE, ACQUIRE_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_GRANTED);
    assert_true(r.result.lock.token > token);
    assert_string_equal(r.previous_user, "ann");
    assert_int_equal(r.previous.reason, LOCK_CAUSE_RELEASED);
    assert_int_equal(r.previous.revision.len, 3);
    CALL(h, &r, lock_status(h->a.store, str_of(R), CB, &r));
    assert_int_equal(r.result.lock.state, LOCK_STATE_HELD);
    CALL(h, &r, lock_leave(h->a.store, &bob, CB, &r));
    CALL(h, &r, lock_status(h->a.store, str_of(R), CB, &r));
    assert_int_equal(r.result.lock.state, LOCK_STATE_FREE);
    assert_int_equal(h->a.degraded, 0);
}

static void events_come_once_and_in_order(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann, again;

    harness_start(h);
    harness_open(h, &h->b);
    RUN_UNTIL(&h->loop, h->b.recovered == 1);
    ann = harness_caller(h, "ann", "s1", R);
    again = harness_caller(h, "ann", "s9", R);
    CALL(h, &r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, &r));
    CALL(h, &r, lock_release(h->a.store, &ann, 0, (struct str){NULL, 0}, CB, &r));
    /* the tab's other connection */
    CALL(h, &r, lock_join(h->b.store, &again, false, 0, true, JOIN_CB, &r));
    CALL(h, &r, lock_leave(h->b.store, &again, CB, &r));
    RUN_UNTIL(&h->loop, h->a.event_count == 5 && h->b.event_count == 5);
    for (size_t i = 0; i < 5; i++) { /* the same for both instances, whoever caused it */
        assert_int_equal(h->a.events[i].rev, h->b.events[i].rev);
        assert_true(i == 0 || h->a.events[i].rev > h->a.events[i - 1].rev);
        assert_string_equal(h->a.events[i].resource, R);
    }
    assert_int_equal(h->a.events[0].kind, LOCK_EVENT_JOIN);
    assert_string_equal(h->a.events[0].session, "s1");
    assert_int_equal(h->a.events[1].kind, LOCK_EVENT_LOCK);
    assert_int_equal(h->a.events[1].cause, LOCK_CAUSE_ACQUIRED);
    assert_int_equal(h->a.events[2].kind, LOCK_EVENT_LOCK);
    assert_int_equal(h->a.events[2].cause, LOCK_CAUSE_RELEASED);
    assert_true(h->a.events[2].ended.present);
    assert_int_equal(h->a.events[3].kind, LOCK_EVENT_JOIN);
    assert_string_equal(h->a.events[3].old_session, "s1");
    assert_int_equal(h->a.events[4].kind, LOCK_EVENT_LEAVE);
    assert_int_equal(h->a.events[4].member_count, 0);
    assert_int_equal(h->a.resyncs + h->b.resyncs, 8); /* the first ones alone: nothing was missed */
}

static void a_replys_own_events_are_taken_with_it(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;

    harness_start(h);
    ann = harness_caller(h, "ann", "s1", R);
    CALL(h, &r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, &r));
    assert_int_equal(h->a.event_count, 2);
    CALL(h, &r, lock_release(h->a.store, &ann, 0, (struct str){NULL, 0}, CB, &r));
    assert_int_equal(h->a.event_count, 3);
    assert_int_equal(h->a.events[2].rev, r.result.rev);
}

static bool is_xread_used(const struct harness *h) {
    static char text[65536];

    assert_true(redis_server_ask(&h->server, "INFO commandstats", text, sizeof text));
    return strstr(text, "cmdstat_xread:") != NULL;
}

static bool is_last_event(const struct instance *i, const char *session) {
    return i->event_count > 0 && strcmp(i->events[i->event_count - 1].session, session) == 0;
}

static size_t events_of(const struct instance *i, const char *resource) {
    size_t count = 0;

    for (size_t n = 0; n < i->event_count; n++) {
        count += strcmp(i->events[n].resource, resource) == 0 ? 1 : 0;
    }
    return count;
}

/* It joins at A, and B gets the event. */
static void join_seen_by_b(struct harness *h, const char *session, const char *resource) {
    struct lock_caller caller = harness_caller(h, session, session, resource);
    struct seen_result r;

    CALL(h, &r, lock_join(h->a.store, &caller, false, 0, true, JOIN_CB, &r));
    RUN_UNTIL(&h->loop, is_last_event(&h->b, session));
}

static void streams_of_shards_with_rooms_are_read(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;

    h->no_rooms = true;
    h->config.redis.lease_ms = 30000; /* a read waits for 5 s */
    harness_start(h);
    harness_open(h, &h->b);
    RUN_UNTIL(&h->loop, h->b.recovered == 1);
    assert_int_not_equal(lock_store_shard(h->b.store, str_of(R)),
                         lock_store_shard(h->b.store, str_of(OTHER)));
    ann = harness_caller(h, "ann", "s1", OTHER);
    CALL(h, &r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, &r));
    assert_false(is_xread_used(h));
    lock_store_follow(h->b.store, str_of(R));
    join_seen_by_b(h, "s2", R);
    assert_true(is_xread_used(h));
    CALL(h, &r, lock_release(h->a.store, &ann, 0, (struct str){NULL, 0}, CB, &r));
    join_seen_by_b(h, "s3", R);
    assert_int_equal(events_of(&h->b, OTHER), 0);

    uint64_t begin_ms = clock_boot_ms();
    lock_store_follow(h->b.store, str_of(OTHER));
    join_seen_by_b(h, "s4", OTHER);
    assert_true(clock_boot_ms() - begin_ms < 4000); /* the read that lacks the shard was ended */
    join_seen_by_b(h, "s5", R);
    lock_store_follow(h->b.store, str_of(OTHER));
    lock_store_unfollow(h->b.store, str_of(OTHER));
    join_seen_by_b(h, "s6", OTHER); /* one room is left */
    lock_store_unfollow(h->b.store, str_of(OTHER));
    join_seen_by_b(h, "s7", R); /* the read that includes the other shard ends */

    size_t before = events_of(&h->b, OTHER);
    CALL(h, &r, lock_leave(h->a.store, &ann, CB, &r));
    join_seen_by_b(h, "s8", R);
    assert_int_equal(events_of(&h->b, OTHER), before);
    assert_int_equal(h->a.resyncs + h->b.resyncs, 8); /* the first ones alone */
    assert_int_equal(h->b.degraded, 0);
}

/* Calls of two instances under way at once: where one's events come between two replies of the
 * other, the stream brings them. */
static void events_of_two_instances_come_once_and_in_order(void **state) {
    enum { ROUNDS = 12, PEOPLE = 4 };
    static const char *const names[PEOPLE] = {"ann", "bob", "cy", "dee"};
    struct harness *h = *state;
    struct seen_result r[PEOPLE];
    struct lock_caller callers[PEOPLE];

    harness_start(h);
    harness_open(h, &h->b);
    RUN_UNTIL(&h->loop, h->b.recovered == 1);
    for (size_t i = 0; i < PEOPLE; i++) {
        struct lock_store *store = i % 2 == 0 ? h->a.store : h->b.store;

        callers[i] = harness_caller(h, names[i], names[i], R);
        CALL(h, &r[i], lock_join(store, &callers[i], false, 0, true, JOIN_CB, &r[i]));
    }
    for (int round = 0; round < ROUNDS; round++) {
        memset(r, 0, sizeof r);
        for (size_t i = 0; i < PEOPLE; i++) {
            struct lock_store *store = i % 2 == 0 ? h->a.store : h->b.store;

            lock_acquire(store, &callers[i], LOCK_ACQUIRE, ACQUIRE_CB, &r[i]);
            lock_release(store, &callers[i], 0, (struct str){NULL, 0}, CB, &r[i]);
        }
        RUN_UNTIL(&h->loop,
                  r[0].count == 2 && r[1].count == 2 && r[2].count == 2 && r[3].count == 2);
    }
    int64_t last = lock_store_rev(h->a.store, str_of(R));
    last =
        lock_store_rev(h->b.store, str_of(R)) > last ? lock_store_rev(h->b.store, str_of(R)) : last;
    RUN_UNTIL(&h->loop, lock_store_fed(h->a.store, str_of(R)) == last &&
                            lock_store_fed(h->b.store, str_of(R)) == last);
    assert_int_equal(h->a.event_count, h->b.event_count);
    assert_true(h->a.event_count > PEOPLE + 2 * ROUNDS);
    for (size_t i = 0; i < h->a.event_count; i++) {
        assert_int_equal(h->a.events[i].rev, h->b.events[i].rev);
        assert_true(i == 0 || h->a.events[i].rev > h->a.events[i - 1].rev);
    }
    assert_int_equal(h->a.resyncs + h->b.resyncs, 8);
}

static void expiry_is_told_promptly(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    uint64_t begin;
    const struct seen_event *e;

    h->config.default_policy.lock_ttl_ms = 400;
    harness_start(h);
    ann = harness_caller(h, "ann", "s1", R);
    CALL(h, &r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, &r));
    begin = clock_boot_ms();
    RUN_UNTIL(&h->loop, harness_find(&h->a, LOCK_CAUSE_EXPIRED));
    assert_in_range(clock_boot_ms() - begin, 300, 700);
    e = harness_find(&h->a, LOCK_CAUSE_EXPIRED);
    assert_int_equal(e->state, LOCK_STATE_FREE);
    assert_int_equal(e->ended.token, r.result.lock.token);
    RUN_UNTIL(&h->loop, h->a.settled_count == 1); /* for the audit */
    assert_int_equal(h->a.settled[0].rev, e->rev);
}

static void a_lost_connection_has_its_grace(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann, back;
    int64_t token;

    harness_start(h);
    ann = harness_caller(h, "ann", "s1", R);
    back = harness_caller(h, "ann", "s2", R);
    CALL(h, &r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, &r));
    token = r.result.lock.token;
    CALL(h, &r, lock_disconnect(h->a.store, &ann, LOCK_DISCONNECT_LOST, 0, CB, &r));
    assert_int_equal(r.status, LOCK_OK);
    assert_int_equal(r.result.lock.state, LOCK_STATE_GRACE);
    assert_int_equal(r.result.lock.grace_until_ms - r.result.now_ms, 5000);
    CALL(h, &r, lock_disconnect(h->a.store, &ann, LOCK_DISCONNECT_LOST, 0, CB, &r)); /* harmless */
    CALL(h, &r, lock_join(h->a.store, &back, true, token, true, JOIN_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_GRANTED);
    assert_true(r.resumed);
    assert_int_equal(r.result.lock.token, token);
    CALL(h, &r, lock_disconnect(h->a.store, &back, LOCK_DISCONNECT_LEFT, 0, CB, &r));
    assert_int_equal(r.result.lock.state, LOCK_STATE_FREE);
    /* too late with the old token */
    CALL(h, &r, lock_join(h->a.store, &ann, true, token, true, JOIN_CB, &r));
    assert_true(r.lost.present);
    assert_int_equal(r.lost.token, token);
    assert_int_equal(r.lost.reason, LOCK_CAUSE_DISCONNECT);
}

static void limits_are_told_with_their_numbers(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller one, two, viewer;

    h->config.default_policy.max_tab_locks = 1;
    h->config.default_policy.max_viewers = 1;
    harness_start(h);
    one = harness_caller(h, "ann", "s1", "contract:7:a");
    two = harness_caller(h, "ann", "s1", "contract:7:b");
    viewer = harness_caller(h, "bob", "s2", "contract:7:b");
    CALL(h, &r, lock_join(h->a.store, &one, true, 0, true, JOIN_CB, &r));
    CALL(h, &r, lock_join(h->a.store, &two, true, 0, true, JOIN_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_TAB_LIMIT);
    assert_int_equal(r.limit, 1);
    assert_int_equal(r.held_count, 1);
    assert_string_equal(r.held[0], "contract:7:a");
    CALL(h, &r, lock_join(h->a.store, &viewer, false, 0, true, JOIN_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_VIEWERS_FULL);
    assert_int_equal(r.limit, 1);
    assert_false(r.joined);
}

static void on_request(void *arg, const struct lock_request_result *result) {
    struct seen_result *seen = arg;

    assert_true(str_eqz(result->request_id, "request-1"));
    assert_int_equal(result->ends_ms - result->common.now_ms, 30000);
    harness_on_result(seen, &result->common);
}

static void on_reply(void *arg, const struct lock_reply_result *result) {
    struct seen_result *seen = arg;

    seen->resumed = result->resumed;
    harness_on_result(seen, &result->common);
}

static void on_takeover(void *arg, const struct lock_takeover_result *result) {
    struct seen_result *seen = arg;

    seen->resumed = result->resumed;
    seen->previous = result->previous;
    harness_on_result(seen, &result->common);
}

static void on_verify(void *arg, const struct lock_verify_result *result) {
    struct seen_result *seen = arg;

    seen->lost = result->lost;
    seen->previous = result->previous;
    harness_on_result(seen, &result->common);
}

static void on_operate(void *arg, const struct lock_operate_result *result) {
    struct seen_result *seen = arg;

    seen->previous = result->ended;
    seen->joined = result->in_room;
    harness_on_result(seen, &result->common);
}

/* The connection of the owner ends, and its tab comes back as a viewer: the lock stays in grace. */
static void into_grace(struct harness *h, const struct lock_caller *owner) {
    struct seen_result r;

    CALL(h, &r, lock_disconnect(h->a.store, owner, LOCK_DISCONNECT_LOST, 0, CB, &r));
    CALL(h, &r, lock_join(h->a.store, owner, false, 0, true, JOIN_CB, &r));
    assert_int_equal(r.result.lock.state, LOCK_STATE_GRACE);
}

static void each_kind_of_call_has_its_result(void **state) {
    const struct lock_operation operation = {.actor = str_of("ops"), .user_id = str_of("ann")};
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann, bob;
    struct str none = {NULL, 0}, empty = {"", 0};
    int64_t first, second;

    h->config.default_policy.request_timeout_ms = 30000;
    h->config.default_policy.max_waiters = 10;
    harness_start(h);
    ann = harness_caller(h, "ann", "s1", R);
    bob = harness_caller(h, "bob", "s2", R);
    CALL(h, &r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, &r));
    first = r.result.lock.token;
    CALL(h, &r, lock_join(h->a.store, &bob, false, 0, true, JOIN_CB, &r));
    CALL(h, &r, lock_request(h->a.store, &bob, str_of("request-1"), empty, on_request, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_REQUESTED);
    into_grace(h, &ann);
    CALL(h, &r,
         lock_reply(h->a.store, &ann, false, str_of("request-1"), LOCK_DENY, none, on_reply, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_REPLIED);
    assert_true(r.resumed);
    into_grace(h, &ann);
    CALL(h, &r,
         lock_takeover(h->a.store, &ann, str_of("takeover-1"), empty, empty, false, false,
                       on_takeover, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_GRANTED);
    assert_true(r.resumed && !r.previous.present);
    second = r.result.lock.token;
    assert_true(second > first);
    CALL(h, &r,
         lock_takeover(h->a.store, &bob, str_of("takeover-2"), empty, empty, false, false,
                       on_takeover, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_GRANTED);
    assert_true(!r.resumed && r.previous.token == second);
    CALL(h, &r, lock_verify(h->a.store, str_of(R), first, on_verify, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_LOST);
    assert_int_equal(r.lost.token, first);
    assert_int_equal(r.previous.token, second);
    CALL(h, &r, lock_operate(h->a.store, str_of(R), bob.policy, true, &operation, on_operate, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_RESERVED);
    assert_int_equal(r.previous.reason, LOCK_CAUSE_TAKEN_BY_ADMIN);
    assert_true(r.joined);
}

static void a_stale_token_is_told(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann, other;
    int64_t first;

    harness_start(h);
    ann = harness_caller(h, "ann", "s1", R);
    other = harness_caller(h, "ann", "s2", R);
    other.client_id = str_of("ann-other-tab");
    CALL(h, &r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, &r));
    first = r.result.lock.token;
    CALL(h, &r, lock_join(h->a.store, &other, true, 0, true, JOIN_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_HELD_BY_YOU);
    CALL(h, &r, lock_acquire(h->a.store, &other, LOCK_TAKE_OWN, ACQUIRE_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_GRANTED);
    CALL(h, &r, lock_heartbeat(h->a.store, &other, first, true, -1, HEARTBEAT_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_LOST);
    assert_int_equal(r.lost.reason, LOCK_CAUSE_STALE_TOKEN);
    assert_int_equal(r.lost.token, first);
}

static void shards_follow_the_document(void **state) {
    struct harness *h = *state;

    harness_start(h);
    assert_int_equal(lock_store_shard(h->a.store, str_of("contract:7:a")),
                     lock_store_shard(h->a.store, str_of("contract:7:b")));
    /* CRC-16/XMODEM of "123456789" is 0x31C3. */
    assert_int_equal(lock_store_shard(h->a.store, str_of("123456789:main")), 0x31C3 % 4);
}

static void belief_ends_before_the_store_may_give_away(void **state) {
    struct harness *h = *state;
    struct config_policy release;
    int64_t now, until;

    harness_start(h);
    release = h->config.default_policy;
    release.disconnect = CONFIG_DISCONNECT_RELEASE;
    now = lock_store_now_ms(h->a.store);
    until = lock_store_confirmed_until_ms(h->a.store, str_of("document:1:main"), now + 600000,
                                          &h->config.default_policy);
    /* The lease was renewed a moment ago: 3 s, the grace of 5 s, less one second. */
    assert_in_range(until - now, 5500, 7001);
    until = lock_store_confirmed_until_ms(h->a.store, str_of("document:1:main"), now + 600000,
                                          &release);
    assert_in_range(until - now, 500, 2001);
    assert_int_equal(
        lock_store_confirmed_until_ms(h->a.store, str_of("document:1:main"), now + 10, &release),
        now + 10);
}

static void another_layout_is_fatal_at_start(void **state) {
    struct harness *h = *state;

    harness_start(h);
    h->config.redis.shards = 8;
    harness_open(h, &h->b);
    RUN_UNTIL(&h->loop, h->b.fatal > 0);
    assert_int_equal(h->b.fatal, 1);
    assert_non_null(strstr(h->b.problem, "4 shards"));
    assert_int_equal(h->b.recovered, 0);
    assert_true(lock_store_down_since_boot_ms(h->b.store) > 0);
}

struct seen_list {
    bool done, ok, more;
    size_t count;
    char text[256]; /* the resources, and the states of their locks */
};

static void on_list(void *arg, const struct lock_list_result *result) {
    struct seen_list *seen = arg;
    assert_false(seen->done);
    *seen = (struct seen_list){true, result->status == LOCK_OK, result->next.len > 0, result->count,
                               ""};
    for (size_t i = 0; i < result->count; i++) {
        const struct lock_listed *l = &result->locks[i];
        size_t len = strlen(seen->text);
        snprintf(seen->text + len, sizeof seen->text - len, "%.*s=%s ", (int)l->resource.len,
                 l->resource.p, lock_state_text(l->lock.state));
    }
}

static struct seen_list list(struct harness *h, const struct lock_filter *filter) {
    struct seen_list seen = {.done = false};
    assert_true(lock_list(h->a.store, filter, on_list, &seen));
    RUN_UNTIL(&h->loop, seen.done);
    return seen;
}

static void locks_are_listed_in_order(void **state) {
    static const char *const names[] = {"x:b:main", "x:Z:main", "x:a:main", "y:_:main"};
    struct harness *h = *state;
    struct lock_filter filter = {.limit = 2};
    struct lock_caller callers[4];
    struct seen_list seen, late[LOCK_LISTINGS_MAX];
    struct seen_result r;

    harness_start(h);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        callers[i] = harness_caller(h, i == 2 ? "bob" : "ann", i == 2 ? "s2" : "s1", names[i]);
        CALL(h, &r, lock_join(h->a.store, &callers[i], true, 0, true, JOIN_CB, &r));
        assert_int_equal(r.result.outcome, LOCK_OUT_GRANTED);
    }
    seen = list(h, &filter);
    assert_string_equal(seen.text, "x:Z:main=held x:a:main=held ");
    assert_true(seen.ok && seen.more);
    filter.after = str_of("x:a:main");
    seen = list(h, &filter);
    assert_string_equal(seen.text, "x:b:main=held y:_:main=held ");
    assert_true(seen.ok && !seen.more);
    filter = (struct lock_filter){.type = str_of("x"), .user_id = str_of("ann"), .limit = 9};
    assert_string_equal(list(h, &filter).text, "x:Z:main=held x:b:main=held ");
    filter = (struct lock_filter){.search = str_of("BO"), .limit = 9};
    assert_string_equal(list(h, &filter).text, "x:a:main=held ");
    filter = (struct lock_filter){.search = str_of(":Z:"), .limit = 9};
    assert_string_equal(list(h, &filter).text, "x:Z:main=held ");
    filter = (struct lock_filter){.search = str_of("."), .limit = 9};
    assert_string_equal(list(h, &filter).text, "");
    filter = (struct lock_filter){.type = str_of("x"), .user_id = str_of("ann"), .limit = 9};
    CALL(h, &r, lock_leave(h->a.store, &callers[1], CB, &r));
    assert_string_equal(list(h, &filter).text, "x:b:main=held ");
    memset(late, 0, sizeof late);
    for (size_t i = 0; i < ARRAY_LEN(late); i++) {
        assert_true(lock_list(h->a.store, &filter, on_list, &late[i]));
    }
    assert_false(lock_list(h->a.store, &filter, on_list, &seen));
    lock_store_destroy(&h->a.store);
    for (size_t i = 0; i < ARRAY_LEN(late); i++) {
        assert_true(late[i].done && !late[i].ok);
    }
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_lock_is_taken_kept_and_released),
        T(events_come_once_and_in_order),
        T(a_replys_own_events_are_taken_with_it),
        T(streams_of_shards_with_rooms_are_read),
        T(events_of_two_instances_come_once_and_in_order),
        T(expiry_is_told_promptly),
        T(a_lost_connection_has_its_grace),
        T(limits_are_told_with_their_numbers),
        T(each_kind_of_call_has_its_result),
        T(a_stale_token_is_told),
        T(shards_follow_the_document),
        T(belief_ends_before_the_store_may_give_away),
        T(another_layout_is_fatal_at_start),
        T(locks_are_listed_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
