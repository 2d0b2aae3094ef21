/* What goes wrong with the store, and what the lock module makes of it. */
#include "lock_harness.h"

#include "wslock/metrics/metrics.h"

#define R "contract:7:main"

static uint64_t skew_us;   /* added to the clock of our own */
static uint64_t frozen_us; /* not 0: it stands still */

static uint64_t boot_us(void) {
    struct timespec t;

    if (frozen_us != 0) {
        return frozen_us;
    }
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 + skew_us;
}

static int64_t wall_us(void) {
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int setup(void **state) {
    static const struct clock_source source = {boot_us, wall_us};

    skew_us = frozen_us = 0;
    clock_set_source(&source);
    *state = harness_create();
    return 0;
}

static int teardown(void **state) {
    harness_destroy(*state);
    clock_set_source(NULL);
    return 0;
}

static void ask_server(const struct harness *h, const char *command, char *answer, size_t size) {
    assert_true(redis_server_ask(&h->server, command, answer, size));
    assert_true(answer[0] != '-');
}

/* Ann holds R through instance a, which reports her when it is asked. */
static struct lock_caller hold(struct harness *h, struct seen_result *r) {
    struct lock_caller ann = harness_caller(h, "ann", "s1", R);
    struct harness_room *room = &h->a.rooms[0];

    CALL(h, r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, r));
    assert_int_equal(r->result.outcome, LOCK_OUT_GRANTED);
    room->resource = R;
    room->count = 1;
    room->members[0] = (struct lock_report_member){.user_id = ann.user_id,
                                                   .username = ann.username,
                                                   .client_id = ann.client_id,
                                                   .session_id = ann.session_id,
                                                   .joined_ms = r->result.now_ms,
                                                   .token = r->result.lock.token,
                                                   .since_ms = r->result.lock.since_ms,
                                                   .expires_ms = r->result.lock.expires_ms};
    h->a.room_count = 1;
    return ann;
}

static void a_killed_store_comes_back_with_its_locks(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    int64_t token;
    uint64_t begin;

    harness_start(h);
    ann = hold(h, &r);
    token = r.result.lock.token;
    redis_server_kill(&h->server, SIGKILL);
    RUN_UNTIL(&h->loop, h->a.degraded == 1);
    assert_true(lock_store_down_since_boot_ms(h->a.store) > 0);
    begin = clock_boot_ms();
    CALL(h, &r, lock_heartbeat(h->a.store, &ann, token, true, -1, HEARTBEAT_CB, &r));
    assert_int_equal(r.status, LOCK_UNAVAILABLE);
    assert_true(clock_boot_ms() - begin < 200);
    CALL(h, &r, lock_disconnect(h->a.store, &ann, LOCK_DISCONNECT_LOST, 0, CB, &r));
    assert_int_equal(r.status, LOCK_UNAVAILABLE);
    RUN_UNTIL(&h->loop, strstr(lock_store_problem(h->a.store), "redis.sock"));
    redis_server_start(&h->server, NULL);
    RUN_UNTIL(&h->loop, h->a.recovered == 2);
    assert_int_equal(lock_store_down_since_boot_ms(h->a.store), 0);
    CALL(h, &r, lock_heartbeat(h->a.store, &ann, token, true, -1, HEARTBEAT_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_RENEWED);
    assert_int_equal(r.result.lock.token, token);
    RUN_UNTIL(&h->loop, !lock_store_window_open(h->a.store));
    assert_int_equal(h->a.degraded, 1);
}

/* Also while it was being told again what it should know. */
static void each_loss_is_told(void **state) {
    struct harness *h = *state;
    int before;

    harness_start(h);
    redis_server_kill(&h->server, SIGKILL);
    RUN_UNTIL(&h->loop, h->a.degraded == 1);
    h->a.hold_reports = true;
    before = h->a.resyncs;
    redis_server_start(&h->server, NULL);
    RUN_UNTIL(&h->loop, h->a.resyncs > before);
    RUN_UNTIL(&h->loop, !lock_store_is_away(h->a.store, str_of(R))); /* nobody reports it again */
    redis_server_kill(&h->server, SIGKILL);
    RUN_UNTIL(&h->loop, h->a.degraded == 2);
    assert_true(lock_store_is_away(h->a.store, str_of(R)));
    h->a.hold_reports = false;
    redis_server_start(&h->server, NULL);
    RUN_UNTIL(&h->loop, h->a.recovered == 2);
    assert_int_equal(h->a.degraded, 2);
}

/* Before the store was told, its room is empty and its lock free. */
static void an_emptied_room_is_not_shown(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller bob = harness_caller(h, "bob", "s2", R);
    char answer[64];

    harness_start(h);
    hold(h, &r);
    h->a.hold_reports = true;
    ask_server(h, "FLUSHALL", answer, sizeof answer);
    CALL(h, &r, lock_join(h->a.store, &bob, false, 0, true, JOIN_CB, &r));
    assert_int_equal(r.status, LOCK_UNKNOWN);
    assert_int_equal(r.result.event_count, 0);
    assert_int_equal(h->a.settled_count, 1); /* that bob came is for the audit all the same */
    assert_int_equal(h->a.settled[0].kind, LOCK_EVENT_JOIN);
    assert_string_equal(h->a.settled[0].user, "bob");
}

static void an_emptied_store_is_told_again(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann, bob;
    char answer[64];
    int64_t token;

    harness_start(h);
    ann = hold(h, &r);
    bob = harness_caller(h, "bob", "s2", R);
    token = r.result.lock.token;
    ask_server(h, "FLUSHALL", answer, sizeof answer);
    RUN_UNTIL(&h->loop, harness_find(&h->a, LOCK_CAUSE_RECOVERED));
    assert_int_equal(harness_find(&h->a, LOCK_CAUSE_RECOVERED)->token, token);
    RUN_UNTIL(&h->loop, !lock_store_window_open(h->a.store));
    /* Each shard notices by itself; until then its calls are answered UNAVAILABLE. */
    do {
        CALL(h, &r, lock_heartbeat(h->a.store, &ann, token, true, -1, HEARTBEAT_CB, &r));
    } while (r.status != LOCK_OK);
    assert_int_equal(r.result.outcome, LOCK_OUT_RENEWED);
    CALL(h, &r, lock_join(h->a.store, &bob, true, 0, true, JOIN_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_HELD);
    assert_int_equal(h->a.degraded, 0);
}

/* What the reports of one round tell is not asked for again because they raised the clock. */
static void a_report_that_raises_the_clock_is_enough(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    char command[128], answer[64];

    harness_start(h);
    ann = hold(h, &r);
    RUN_UNTIL(&h->loop, h->a.event_count == 2);
    snprintf(command, sizeof command, "HINCRBY {wslock:%u}:meta tick 5000000",
             lock_store_shard(h->a.store, str_of(R)));
    ask_server(h, command, answer, sizeof answer);
    CALL(h, &r, lock_status(h->a.store, str_of(R), CB, &r)); /* it knows a tick without an event */
    ask_server(h, "FLUSHALL", answer, sizeof answer);
    RUN_UNTIL(&h->loop, harness_find(&h->a, LOCK_CAUSE_RECOVERED));
    RUN_UNTIL(&h->loop, h->a.resyncs >= 8 && !lock_store_window_open(h->a.store));
    do {
        CALL(h, &r, lock_heartbeat(h->a.store, &ann, 0, true, 1, HEARTBEAT_CB, &r));
    } while (r.status != LOCK_OK);
    RUN_UNTIL(&h->loop, harness_find(&h->a, LOCK_CAUSE_RENEWED));
    assert_int_equal(h->a.resyncs, 8); /* each shard at the start and for the window */
}

/* The server's clock was two days ahead once, and all that it knew then is gone. */
static void a_clock_that_was_ahead_does_not_block_for_ever(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    char command[128], answer[64];
    int64_t token, ahead = wall_us() + 172800000000;

    harness_start(h);
    snprintf(command, sizeof command, "HSET {wslock:%u}:meta tick %lld",
             lock_store_shard(h->a.store, str_of(R)), (long long)ahead);
    ask_server(h, command, answer, sizeof answer);
    ann = hold(h, &r);
    token = r.result.lock.token;
    assert_true(token > ahead);
    RUN_UNTIL(&h->loop, h->a.event_count == 2);
    ask_server(h, "FLUSHALL", answer, sizeof answer);
    do { /* the lock is lost, its holder is in the room again */
        CALL(h, &r, lock_heartbeat(h->a.store, &ann, token, true, -1, HEARTBEAT_CB, &r));
    } while (r.status != LOCK_OK || lock_store_window_open(h->a.store));
    assert_int_equal(r.result.outcome, LOCK_OUT_LOST);
    assert_true(lock_store_rev(h->a.store, str_of(R)) < token);
    assert_int_equal(h->a.rewound, 1);
    h->a.event_count = 0;
    CALL(h, &r, lock_acquire(h->a.store, &ann, LOCK_ACQUIRE, ACQUIRE_CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_GRANTED);
    assert_true(r.result.lock.token < token);
    RUN_UNTIL(&h->loop, harness_find(&h->a, LOCK_CAUSE_ACQUIRED)); /* told, too */
}

static void a_grace_lock_is_restored_too(void **state) {
    struct harness *h = *state;
    struct lock_report_member *entry = &h->a.rooms[0].members[0];
    struct seen_result r;
    struct lock_caller ann, back = harness_caller(h, "ann", "s2", R);
    char answer[64];
    int64_t token;

    harness_start(h);
    ann = hold(h, &r);
    token = r.result.lock.token;
    CALL(h, &r, lock_disconnect(h->a.store, &ann, LOCK_DISCONNECT_LOST, 0, CB, &r));
    entry->gone = true;
    entry->grace_until_ms = r.result.lock.grace_until_ms;
    ask_server(h, "FLUSHALL", answer, sizeof answer);
    do { /* also that it is gone is no answer before the store was told */
        CALL(h, &r, lock_status(h->a.store, str_of(R), CB, &r));
    } while (r.status != LOCK_OK);
    assert_int_equal(r.result.lock.state, LOCK_STATE_GRACE);
    do {
        CALL(h, &r, lock_join(h->a.store, &back, true, token, true, JOIN_CB, &r));
    } while (r.status != LOCK_OK);
    assert_true(r.resumed);
    assert_int_equal(r.result.lock.token, token);
}

/* The window stays open until the other instance, which renews its lease rarely, has told what it
 * had. */
static void two_instances_refill_an_emptied_store(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann, bob;
    char answer[64];
    int64_t token, other;

    h->config.redis.embedded = false;
    h->config.redis.lease_ms = 15000;
    h->config.default_policy.grace_period_ms = 15000;
    harness_start(h);
    harness_open(h, &h->b);
    RUN_UNTIL(&h->loop, h->b.recovered == 1 && !lock_store_window_open(h->b.store));
    RUN_UNTIL(&h->loop, !lock_store_window_open(h->a.store));
    /* Ann through a, Bob through b, in the same document. */
    ann = hold(h, &r);
    token = r.result.lock.token;
    bob = harness_caller(h, "bob", "s2", "contract:7:other");
    CALL(h, &r, lock_join(h->b.store, &bob, true, 0, true, JOIN_CB, &r));
    other = r.result.lock.token;
    h->b.rooms[0] = h->a.rooms[0];
    h->b.rooms[0].resource = "contract:7:other";
    h->b.rooms[0].members[0].user_id = h->b.rooms[0].members[0].username = str_of("bob");
    h->b.rooms[0].members[0].client_id = str_of("bob");
    h->b.rooms[0].members[0].session_id = str_of("s2");
    h->b.rooms[0].members[0].token = other;
    h->b.room_count = 1;
    ask_server(h, "FLUSHALL", answer, sizeof answer);
    do {
        CALL(h, &r, lock_heartbeat(h->a.store, &ann, token, true, -1, HEARTBEAT_CB, &r));
    } while (r.status != LOCK_OK || lock_store_window_open(h->a.store));
    assert_int_equal(r.result.outcome, LOCK_OUT_RENEWED);
    do {
        CALL(h, &r, lock_heartbeat(h->b.store, &bob, other, true, -1, HEARTBEAT_CB, &r));
    } while (r.status != LOCK_OK || lock_store_window_open(h->b.store));
    assert_int_equal(r.result.outcome, LOCK_OUT_RENEWED);
    /* At the start, for the window, and for a lapsed lease or an event that was missed, each shard
     * once. A feed that reads anything twice takes it for missed events, and comes to hundreds. */
    assert_in_range(h->a.resyncs + h->b.resyncs, 16, 32);
}

/* The tab has joined again through the other instance. */
static void a_report_names_a_superseded_session(void **state) {
    struct harness *h = *state;
    struct lock_caller again = harness_caller(h, "ann", "s2", R);
    struct seen_result r;

    harness_start(h);
    harness_open(h, &h->b);
    RUN_UNTIL(&h->loop, h->b.recovered == 1);
    hold(h, &r);
    redis_server_nap(2); /* later by the store's clock */
    CALL(h, &r, lock_join(h->b.store, &again, false, 0, true, JOIN_CB, &r));
    lock_store_forgot(h->a.store, str_of(R));
    RUN_UNTIL(&h->loop, h->a.superseded[0] != '\0');
    assert_string_equal(h->a.superseded, "s1");
}

static void a_clean_stop_gives_the_lease_up(void **state) {
    struct harness *h = *state;
    char answer[64] = "";
    bool gone = false;

    harness_start(h);
    lock_store_destroy(&h->a.store);
    for (int i = 0; i < 200 && !gone; i++) { /* far less than the lease of 3 s */
        ask_server(h, "EXISTS {wslock:0}:instances {wslock:3}:instances", answer, sizeof answer);
        gone = strncmp(answer, ":0", 2) == 0;
        redis_server_nap(5);
    }
    assert_true(gone);
}

static void a_lapsed_lease_is_no_longer_served(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    int before;

    harness_start(h);
    ann = hold(h, &r);
    before = h->a.resyncs;
    skew_us = 3500000; /* the machine slept */
    CALL(h, &r, lock_status(h->a.store, str_of(R), CB, &r));
    assert_int_equal(r.status, LOCK_UNAVAILABLE);
    RUN_UNTIL(&h->loop, h->a.resyncs > before);
    do {
        CALL(h, &r, lock_heartbeat(h->a.store, &ann, 0, true, -1, HEARTBEAT_CB, &r));
    } while (r.status != LOCK_OK);
    assert_int_equal(r.result.outcome, LOCK_OUT_RENEWED);
}

static void a_dead_instance_is_swept(void **state) {
    struct harness *h = *state;
    struct wheel *own = h->wheel, *frozen = wheel_create(clock_boot_ms());
    struct seen_result r;
    struct lock_caller ann = harness_caller(h, "ann", "s1", R);

    h->config.default_policy.disconnect = CONFIG_DISCONNECT_RELEASE;
    harness_start(h);
    h->wheel = frozen; /* it never renews its lease */
    harness_open(h, &h->b);
    h->wheel = own;
    RUN_UNTIL(&h->loop, h->b.recovered == 1);
    CALL(h, &r, lock_join(h->b.store, &ann, true, 0, true, JOIN_CB, &r));
    RUN_UNTIL(&h->loop, harness_find(&h->a, LOCK_CAUSE_GRACE_STARTED));
    RUN_UNTIL(&h->loop, h->a.events[h->a.event_count - 1].kind == LOCK_EVENT_LEAVE);
    RUN_UNTIL(&h->loop, h->a.settled_count >= 2);
    lock_store_destroy(&h->b.store);
    wheel_destroy(&frozen);
}

static void a_missed_event_is_noticed(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    char command[128], answer[64];
    unsigned shard;
    int before;

    harness_start(h);
    ann = hold(h, &r);
    RUN_UNTIL(&h->loop, h->a.event_count == 2);
    shard = lock_store_shard(h->a.store, str_of(R));
    before = h->a.resyncs;
    metrics_reset();
    /* The clock goes on without an event that could be read. */
    snprintf(command, sizeof command, "HINCRBY {wslock:%u}:meta tick 5", shard);
    ask_server(h, command, answer, sizeof answer);
    CALL(h, &r, lock_release(h->a.store, &ann, 0, (struct str){NULL, 0}, CB, &r));
    RUN_UNTIL(&h->loop, h->a.resyncs == before + 1);
    assert_non_null(harness_find(&h->a, LOCK_CAUSE_RELEASED)); /* and it is told all the same */
    assert_true(metrics_value(METRIC_FEED_GAPS, NULL, NULL) == 1);
    assert_true(metrics_value(METRIC_RESYNCS, "missed an event", NULL) == 1);
    assert_true(metrics_value(METRIC_STORE_SECONDS, "release", NULL) == 1);
}

static void a_malformed_event_is_skipped(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    char command[128], answer[64];
    int before;

    harness_start(h);
    ann = hold(h, &r);
    before = h->a.resyncs;
    snprintf(command, sizeof command, "XADD {wslock:%u}:events %lld-0 e junk",
             lock_store_shard(h->a.store, str_of(R)), (long long)r.result.rev + 1);
    ask_server(h, command, answer, sizeof answer);
    RUN_UNTIL(&h->loop, h->a.resyncs == before + 1);
    do {
        CALL(h, &r, lock_release(h->a.store, &ann, 0, (struct str){NULL, 0}, CB, &r));
    } while (r.status != LOCK_OK);
    RUN_UNTIL(&h->loop, harness_find(&h->a, LOCK_CAUSE_RELEASED));
}

static void a_full_store_is_a_lost_store(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller bob = harness_caller(h, "bob", "s2", R);
    char answer[64];

    harness_start(h);
    ask_server(h, "CONFIG SET maxmemory 1", answer, sizeof answer);
    CALL(h, &r, lock_join(h->a.store, &bob, true, 0, true, JOIN_CB, &r));
    assert_int_equal(r.status, LOCK_UNAVAILABLE); /* certainly nothing happened */
    assert_non_null(strstr(r.error, "OOM"));
    RUN_UNTIL(&h->loop, h->a.degraded == 1);
    ask_server(h, "CONFIG SET maxmemory 0", answer, sizeof answer);
    RUN_UNTIL(&h->loop, h->a.recovered == 2);
    CALL(h, &r, lock_join(h->a.store, &bob, true, 0, true, JOIN_CB, &r));
    assert_int_equal(r.status, LOCK_OK);
}

static void a_script_that_fails_is_an_unknown_outcome(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    char command[128], answer[64];
    unsigned shard;
    int before;

    harness_start(h);
    shard = lock_store_shard(h->a.store, str_of(R));
    before = h->a.resyncs;
    snprintf(command, sizeof command, "SADD {wslock:%u}:lock:" R " wrong", shard);
    ask_server(h, command, answer, sizeof answer);
    metrics_reset();
    CALL(h, &r, lock_status(h->a.store, str_of(R), CB, &r));
    assert_int_equal(r.status, LOCK_UNKNOWN);
    RUN_UNTIL(&h->loop, h->a.resyncs == before + 1);
    assert_int_equal(h->a.degraded, 0);
    assert_true(metrics_value(METRIC_STORE_FAILED, "status", "unknown") == 1);
    assert_true(metrics_value(METRIC_RESYNCS, "unknown outcome", NULL) == 1);
}

static void a_stopped_store_is_given_up_in_time(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    uint64_t begin;

    harness_start(h);
    ann = hold(h, &r);
    kill(h->server.pid, SIGSTOP);
    begin = clock_boot_ms();
    CALL(h, &r, lock_heartbeat(h->a.store, &ann, 0, true, -1, HEARTBEAT_CB, &r));
    assert_int_equal(r.status, LOCK_UNKNOWN);
    assert_true(clock_boot_ms() - begin < 1500); /* commandTimeout is 1 s */
    RUN_UNTIL(&h->loop, h->a.degraded == 1);
    kill(h->server.pid, SIGCONT);
    RUN_UNTIL(&h->loop, h->a.recovered == 2);
}

/* What arrives after its time must not run. */
static void a_late_call_changes_nothing(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller bob = harness_caller(h, "bob", "s2", R);

    harness_start(h);
    CALL(h, &r, lock_status(h->a.store, str_of(R), CB, &r));
    frozen_us = boot_us(); /* our reckoning of the store's time falls behind */
    redis_server_nap(1300);
    CALL(h, &r, lock_join(h->a.store, &bob, true, 0, true, JOIN_CB, &r));
    assert_int_equal(r.status, LOCK_UNAVAILABLE);
    assert_non_null(strstr(r.error, "late"));
    CALL(h, &r,
         lock_join(h->a.store, &bob, true, 0, true, JOIN_CB, &r)); /* the refusal told the time */
    assert_int_equal(r.status, LOCK_OK);
    assert_int_equal(r.result.event_count, 2);
    frozen_us = 0;
}

static void the_feed_goes_on_after_its_connection_broke(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller bob = harness_caller(h, "bob", "s2", R);
    char list[8192], command[64], answer[64], *line, *id;

    harness_start(h);
    ask_server(h, "CLIENT LIST", list, sizeof list);
    line = strstr(list, "name=wslockd:test:feed");
    assert_non_null(line);
    *line = '\0';
    id = strrchr(list, '\n') != NULL ? strrchr(list, '\n') : list;
    id = strstr(id, "id=");
    snprintf(command, sizeof command, "CLIENT KILL ID %ld", strtol(id + 3, NULL, 10));
    ask_server(h, command, answer, sizeof answer);
    CALL(h, &r, lock_join(h->a.store, &bob, true, 0, true, JOIN_CB, &r));
    RUN_UNTIL(&h->loop, h->a.event_count == 2);
    assert_int_equal(h->a.resyncs, 4); /* nothing was missed */
    assert_int_equal(h->a.degraded, 0);
}

static void failed_reports_are_asked_for_again(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    char command[128], answer[64];
    unsigned shard;
    int before;

    harness_start(h);
    ann = hold(h, &r);
    shard = lock_store_shard(h->a.store, str_of(R));
    before = h->a.resyncs;
    snprintf(command, sizeof command, "RENAME {wslock:%u}:lock:" R " {wslock:%u}:kept", shard,
             shard);
    ask_server(h, command, answer, sizeof answer);
    snprintf(command, sizeof command, "SADD {wslock:%u}:lock:" R " wrong", shard);
    ask_server(h, command, answer, sizeof answer);
    CALL(h, &r, lock_status(h->a.store, str_of(R), CB, &r));
    RUN_UNTIL(&h->loop, h->a.resyncs >= before + 3); /* each report fails */
    CALL(h, &r, lock_status(h->a.store, str_of(R), CB, &r));
    assert_int_equal(r.status, LOCK_UNAVAILABLE);
    snprintf(command, sizeof command, "RENAME {wslock:%u}:kept {wslock:%u}:lock:" R, shard, shard);
    ask_server(h, command, answer, sizeof answer);
    do {
        CALL(h, &r, lock_heartbeat(h->a.store, &ann, 0, true, -1, HEARTBEAT_CB, &r));
    } while (r.status != LOCK_OK);
    assert_int_equal(r.result.outcome, LOCK_OUT_RENEWED);
}

static void destroying_completes_what_is_outstanding(void **state) {
    struct harness *h = *state;
    struct seen_result sent = {0}, r;
    struct lock_caller ann;

    harness_start(h);
    ann = hold(h, &r);
    kill(h->server.pid, SIGSTOP);
    lock_heartbeat(h->a.store, &ann, 0, true, -1, HEARTBEAT_CB, &sent);
    lock_store_destroy(&h->a.store);
    assert_int_equal(sent.count, 1);
    assert_int_equal(sent.status, LOCK_UNKNOWN);
    kill(h->server.pid, SIGCONT);
}

/* From the first attempt to connect until it is served: commands of every part are under way. */
static void a_store_can_be_destroyed_at_any_time(void **state) {
    struct harness *h = *state;
    struct lock_caller ann = harness_caller(h, "ann", "s1", "article:1");

    for (int turns = 0; turns < 40; turns++) {
        struct seen_result sent = {0}, left = {0};

        harness_open(h, &h->a);
        h->a.rooms[0] = (struct harness_room){.resource = "article:1"};
        h->a.room_count = 1;
        for (int i = 0; i < turns; i++) {
            uv_run(&h->loop, UV_RUN_ONCE);
        }
        lock_acquire(h->a.store, &ann, LOCK_ACQUIRE, ACQUIRE_CB, &sent);
        lock_disconnect(h->a.store, &ann, LOCK_DISCONNECT_LEFT, 0, CB, &left);
        lock_store_destroy(&h->a.store);
        assert_int_equal(sent.count, 1);
        assert_int_equal(left.count, 1);
        assert_int_not_equal(left.status, LOCK_OK);
    }
}

static void sweeps_that_fail_pause_ever_longer(void **state) {
    struct harness *h = *state;
    char answer[64] = "";
    uint64_t begin;
    int before;

    harness_start(h);
    ask_server(h, "SET {wslock:0}:instance:dead damaged", answer, sizeof answer);
    before = h->a.resyncs;
    begin = clock_boot_ms();
    ask_server(h, "ZADD {wslock:0}:due 1 i:dead", answer, sizeof answer);
    RUN_UNTIL(&h->loop, h->a.resyncs >= before + 5);
    assert_true(clock_boot_ms() - begin >= 100 + 200 + 400 + 800);
    ask_server(h, "DEL {wslock:0}:instance:dead", answer, sizeof answer);
    RUN_UNTIL(&h->loop, (ask_server(h, "ZCOUNT {wslock:0}:due 1 1", answer, sizeof answer),
                         answer[1] == '0'));
}

/* Its events are the one way for a change to come here. */
static void a_store_whose_events_cannot_be_read_is_away(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    char answer[64];

    harness_start(h);
    ann = hold(h, &r);
    ask_server(h, "SET {wslock:1}:events damaged", answer, sizeof answer);
    RUN_UNTIL(&h->loop, h->a.degraded == 1);
    assert_non_null(strstr(lock_store_problem(h->a.store), "its events cannot be read: WRONGTYPE"));
    RUN_UNTIL(&h->loop, metrics_value(METRIC_FEED_LAG, NULL, NULL) > 2);
    assert_int_equal(h->a.recovered, 1);
    ask_server(h, "DEL {wslock:1}:events", answer, sizeof answer);
    RUN_UNTIL(&h->loop, h->a.recovered == 2);
    do {
        CALL(h, &r, lock_release(h->a.store, &ann, 0, (struct str){NULL, 0}, CB, &r));
    } while (r.status != LOCK_OK);
    assert_int_equal(r.result.outcome, LOCK_OUT_RELEASED);
    RUN_UNTIL(&h->loop, harness_find(&h->a, LOCK_CAUSE_RELEASED));
    assert_int_equal(h->a.degraded, 1);
}

/* No request ever fails here: nobody asks. The scripts' own errors say it too, where they come. */
/* Its leases are old by then, although the connection is not at fault. */
static void a_store_that_opens_slowly_keeps_its_connection(void **state) {
    struct harness *h = *state;
    char answer[64];

    h->config.redis.command_timeout_ms = 3000; /* no call runs out of time in the pause */
    harness_start(h);
    ask_server(h, "SET {wslock:1}:events damaged", answer, sizeof answer);
    RUN_UNTIL(&h->loop, h->a.degraded == 1);
    RUN_UNTIL(&h->loop, metrics_value(METRIC_FEED_LAG, NULL, NULL) > 4);
    ask_server(h, "DEL {wslock:1}:events", answer, sizeof answer);
    ask_server(h, "CLIENT PAUSE 1500 WRITE", answer, sizeof answer); /* the next read: after 1 s */
    RUN_UNTIL(&h->loop, h->a.recovered == 2);
    assert_int_equal(h->a.degraded, 1);
}

static void a_right_that_is_missing_is_named(void **state) {
    struct harness *h = *state;
    char answer[64];
    int times = 1;

    harness_start(h);
    for (const char *const *c = (const char *const[]){"info", "get", "fcall", "sscan", NULL};
         *c != NULL; c++, times++) {
        char command[64];

        snprintf(command, sizeof command, "ACL SETUSER default -%s", *c);
        ask_server(h, command, answer, sizeof answer);
        RUN_UNTIL(&h->loop, h->a.degraded >= times && strstr(lock_store_problem(h->a.store), *c));
        assert_true(lock_store_down_since_boot_ms(h->a.store) > 0);
        snprintf(command, sizeof command, "ACL SETUSER default +%s", *c);
        ask_server(h, command, answer, sizeof answer);
        RUN_UNTIL(&h->loop, h->a.recovered == times + 1);
        h->a.degraded = times;
    }
}

/* The others go on. */
static void one_shard_that_cannot_be_served_is_a_store_that_is_away(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    char command[128], answer[64], wanted[64];
    unsigned shard;

    harness_start(h);
    ann = hold(h, &r);
    shard = (lock_store_shard(h->a.store, str_of(R)) + 1) % 4;
    snprintf(command, sizeof command, "RENAME {wslock:%u}:meta {wslock:%u}:kept", shard, shard);
    ask_server(h, command, answer, sizeof answer);
    snprintf(command, sizeof command, "SET {wslock:%u}:meta damaged", shard);
    ask_server(h, command, answer, sizeof answer);
    RUN_UNTIL(&h->loop, h->a.degraded == 1);
    snprintf(wanted, sizeof wanted, "shard %u is not served: WRONGTYPE", shard);
    assert_non_null(strstr(lock_store_problem(h->a.store), wanted));
    assert_null(strstr(lock_store_problem(h->a.store), "user_script"));
    do {
        CALL(h, &r, lock_heartbeat(h->a.store, &ann, 0, true, -1, HEARTBEAT_CB, &r));
    } while (r.status != LOCK_OK);
    assert_int_equal(r.result.outcome, LOCK_OUT_RENEWED);
    assert_int_equal(h->a.recovered, 1);
    snprintf(command, sizeof command, "RENAME {wslock:%u}:kept {wslock:%u}:meta", shard, shard);
    ask_server(h, command, answer, sizeof answer);
    RUN_UNTIL(&h->loop, h->a.recovered == 2);
    assert_int_equal(h->a.degraded, 1);
}

/* It is not the store that was away. */
static void who_stood_still_does_not_blame_the_store(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann;
    int before;

    harness_start(h);
    ann = hold(h, &r);
    before = h->a.resyncs;
    skew_us = 3500000;
    RUN_UNTIL(&h->loop, h->a.resyncs >= before + 4); /* every lease had lapsed */
    do {
        CALL(h, &r, lock_heartbeat(h->a.store, &ann, 0, true, -1, HEARTBEAT_CB, &r));
    } while (r.status != LOCK_OK);
    assert_int_equal(h->a.degraded, 0);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_killed_store_comes_back_with_its_locks),
        T(each_loss_is_told),
        T(an_emptied_room_is_not_shown),
        T(an_emptied_store_is_told_again),
        T(a_report_that_raises_the_clock_is_enough),
        T(a_clock_that_was_ahead_does_not_block_for_ever),
        T(a_grace_lock_is_restored_too),
        T(two_instances_refill_an_emptied_store),
        T(a_report_names_a_superseded_session),
        T(a_clean_stop_gives_the_lease_up),
        T(a_lapsed_lease_is_no_longer_served),
        T(a_dead_instance_is_swept),
        T(a_missed_event_is_noticed),
        T(a_malformed_event_is_skipped),
        T(a_full_store_is_a_lost_store),
        T(a_script_that_fails_is_an_unknown_outcome),
        T(a_stopped_store_is_given_up_in_time),
        T(a_late_call_changes_nothing),
        T(the_feed_goes_on_after_its_connection_broke),
        T(sweeps_that_fail_pause_ever_longer),
        T(a_store_whose_events_cannot_be_read_is_away),
        T(a_store_that_opens_slowly_keeps_its_connection),
        T(a_right_that_is_missing_is_named),
        T(one_shard_that_cannot_be_served_is_a_store_that_is_away),
        T(who_stood_still_does_not_blame_the_store),
        T(failed_reports_are_asked_for_again),
        T(destroying_completes_what_is_outstanding),
        T(a_store_can_be_destroyed_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
