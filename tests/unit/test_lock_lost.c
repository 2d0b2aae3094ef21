/* What was lost sight of: changes that the audit would lack, members that the store should not have
 * or lacks. */
#include "lock_harness.h"

#define R "contract:7:main"

static int setup(void **state) {
    *state = harness_create();
    return 0;
}

static int teardown(void **state) {
    harness_destroy(*state);
    return 0;
}

static void ask_shard(struct harness *h, const char *command, const char *rest, char *answer,
                      size_t size) {
    char text[256];

    snprintf(text, sizeof text, "%s {wslock:%u}:%s", command,
             lock_store_shard(h->a.store, str_of(R)), rest);
    assert_true(redis_server_ask(&h->server, text, answer, size));
    assert_true(answer[0] != '-');
}

static bool answers(struct harness *h, const char *command, const char *rest, const char *wanted) {
    char answer[128];

    ask_shard(h, command, rest, answer, sizeof answer);
    return strncmp(answer, wanted, strlen(wanted)) == 0;
}

/* A disconnect is carried out whenever it arrives; here no answer comes back. */
static void what_no_reply_told_is_read_back(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann = harness_caller(h, "ann", "s1", R), bob;

    harness_start(h);
    CALL(h, &r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, &r));
    kill(h->server.pid, SIGSTOP);
    CALL(h, &r, lock_disconnect(h->a.store, &ann, LOCK_DISCONNECT_LOST, 0, CB, &r));
    assert_int_equal(r.status, LOCK_UNKNOWN);
    RUN_UNTIL(&h->loop, h->a.degraded == 1);
    kill(h->server.pid, SIGCONT);
    RUN_UNTIL(&h->loop, h->a.recovered == 2);
    bob = harness_caller(h, "bob", "s2", R);
    CALL(h, &r, lock_join(h->a.store, &bob, false, 0, true, JOIN_CB, &r)); /* its reply tells */
    RUN_UNTIL(&h->loop, h->a.read_back_count == 2);
    assert_int_equal(h->a.read_back[0].cause, LOCK_CAUSE_GRACE_STARTED);
    assert_int_equal(h->a.read_back[1].kind, LOCK_EVENT_LEAVE);
    assert_string_equal(h->a.read_back[1].user, "ann");
    CALL(h, &r, lock_leave(h->a.store, &bob, CB, &r));
    assert_int_equal(h->a.read_back_count, 2);
    assert_int_equal(h->a.recovered, 2);
    assert_int_equal(h->a.audit_gaps, 0);
}

/* Instance b, whose clock stands still, never says that its audit has anything. */
static void what_a_dead_instance_did_is_read_back(void **state) {
    struct harness *h = *state;
    struct wheel *own = h->wheel, *frozen = wheel_create(clock_boot_ms());
    struct seen_result r;
    struct lock_caller ann = harness_caller(h, "ann", "s1", R);
    char answer[64];

    harness_start(h);
    h->wheel = frozen;
    harness_open(h, &h->b);
    h->wheel = own;
    RUN_UNTIL(&h->loop, h->b.recovered == 1);
    CALL(h, &r, lock_join(h->b.store, &ann, true, 0, true, JOIN_CB, &r));
    assert_true(answers(h, "HLEN", "written", ":2"));
    ask_shard(h, "HSET", "meta audit_cut 9000000000000000", answer, sizeof answer);
    RUN_UNTIL(&h->loop, h->a.settled_count == 2);
    RUN_UNTIL(&h->loop, h->a.audit_gaps == 1);
    assert_int_equal(h->a.read_back_count, 2);
    assert_int_equal(h->a.read_back[0].kind, LOCK_EVENT_JOIN);
    assert_int_equal(h->a.read_back[1].cause, LOCK_CAUSE_ACQUIRED);
    assert_int_equal(h->a.read_back[1].rev, r.result.rev);
    RUN_UNTIL(&h->loop, answers(h, "HLEN", "written", ":1"));
    RUN_UNTIL(&h->loop, answers(h, "ZCARD", "due", ":2")); /* the lock, a's lease */
    lock_store_destroy(&h->b.store);
    wheel_destroy(&frozen);
}

/* What is on disk need not be kept, and is said with the lease. */
static void a_lease_says_what_is_on_disk(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann = harness_caller(h, "ann", "s1", R);
    char wanted[64];

    harness_start(h);
    CALL(h, &r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, &r));
    snprintf(wanted, sizeof wanted, "*1\r\n$16\r\n%lld", (long long)r.result.rev);
    RUN_UNTIL(&h->loop, answers(h, "HVALS", "written", wanted));
    assert_int_equal(h->a.read_back_count, 0);
}

/* The store has ann's lock again, and her page is closed before it was told that she released it.
 */
static void what_has_ended_does_not_end_again(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann = harness_caller(h, "ann", "s1", R);
    unsigned shard;
    char command[160], answer[64];
    int resyncs;

    harness_start(h);
    shard = lock_store_shard(h->a.store, str_of(R));
    CALL(h, &r, lock_join(h->a.store, &ann, true, 0, true, JOIN_CB, &r));
    snprintf(command, sizeof command, "lock:" R " {wslock:%u}:lost", shard);
    ask_shard(h, "COPY", command, answer, sizeof answer);
    CALL(h, &r, lock_release(h->a.store, &ann, r.result.lock.token, (struct str){NULL, 0}, CB, &r));
    assert_int_equal(r.result.outcome, LOCK_OUT_RELEASED);

    h->a.hold_reports = true;
    resyncs = h->a.resyncs;
    snprintf(command, sizeof command, "lost {wslock:%u}:lock:" R, shard);
    ask_shard(h, "RENAME", command, answer, sizeof answer);
    ask_shard(h, "HSET", "meta replid another", answer, sizeof answer);
    CALL(h, &r, lock_leave(h->a.store, &ann, CB, &r)); /* it opens the window */
    assert_int_equal(r.status, LOCK_UNAVAILABLE);
    CALL(h, &r, lock_disconnect(h->a.store, &ann, LOCK_DISCONNECT_LEFT, 0, CB, &r));
    assert_int_equal(r.status, LOCK_UNAVAILABLE);
    RUN_UNTIL(&h->loop, h->a.resyncs > resyncs);
    CALL(h, &r, lock_disconnect(h->a.store, &ann, LOCK_DISCONNECT_LEFT, 0, CB, &r));
    assert_int_equal(r.status, LOCK_UNAVAILABLE);

    lock_report_done(h->a.store, shard);
    do {
        CALL(h, &r, lock_disconnect(h->a.store, &ann, LOCK_DISCONNECT_LEFT, 0, CB, &r));
    } while (r.status != LOCK_OK);
    assert_int_equal(r.result.event_count, 1); /* LEAVE */
    assert_int_equal(r.result.lock.state, LOCK_STATE_FREE);
    assert_true(answers(h, "EXISTS", "lock:" R, ":0"));
}

/* After a recovery the store's members are held against those who are here. */
static void a_stray_member_is_taken_out(void **state) {
    struct harness *h = *state;
    struct seen_result r;
    struct lock_caller ann = harness_caller(h, "ann", "s1", R), bob;
    size_t settled;

    harness_start(h);
    RUN_UNTIL(&h->loop, h->a.comparisons == 1);
    CALL(h, &r, lock_join(h->a.store, &ann, false, 0, true, JOIN_CB, &r));
    bob = harness_caller(h, "bob", "stray-1", R);
    CALL(h, &r, lock_join(h->a.store, &bob, true, 0, true, JOIN_CB, &r));
    for (int i = 100; i < 350; i++) { /* more than a page */
        struct lock_caller c = bob;
        char room[32];

        snprintf(room, sizeof room, "contract:%d:main", i);
        c.resource = str_of(room);
        c.session_id = str_of("s2");
        CALL(h, &r, lock_join(h->a.store, &c, false, 0, true, JOIN_CB, &r));
    }
    settled = h->a.settled_count;
    redis_server_kill(&h->server, SIGKILL);
    redis_server_start(&h->server, NULL);
    RUN_UNTIL(&h->loop, h->a.recovered == 2);
    RUN_UNTIL(&h->loop, h->a.comparisons == 2);
    assert_true(h->a.compared >= 251);
    RUN_UNTIL(&h->loop, h->a.settled_count == settled + 2);
    assert_int_equal(h->a.settled[settled].cause, LOCK_CAUSE_STORE_LOST);
    assert_int_equal(h->a.settled[settled + 1].kind, LOCK_EVENT_LEAVE);
    assert_string_equal(h->a.settled[settled + 1].user, "bob");
    assert_true(answers(h, "HLEN", "member:" R, ":1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_no_reply_told_is_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_dead_instance_did_is_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lease_says_what_is_on_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_ended_does_not_end_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stray_member_is_taken_out, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
