/* Decoding what the scripts write; malformed input must be refused and never read past its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/lock/args.h"
#include "../../src/lock/crc16.h"
#include "../../src/lock/event.h"
#include "../../src/lock/script_reply.h"

static void put_list(struct buf *b, unsigned count) {
    buf_append_char(b, (char)(0x90 | count));
}

static void put_str(struct buf *b, const char *text) {
    msgpack_put_str(b, str_of(text));
}

static void put_lock_items(struct buf *b, const char *state) {
    msgpack_put_int(b, 1763953000000001); /* token */
    msgpack_put_int(b, 1763953000000);    /* since */
    msgpack_put_int(b, 1763953060000);    /* expires */
    msgpack_put_int(b, 0);                /* idle */
    msgpack_put_int(b, 1763953030000);    /* until */
    msgpack_put_int(b, 1763953000000);    /* told */
    msgpack_put_int(b, 1);                /* dirty */
    msgpack_put_int(b, 0);                /* made */
    msgpack_put_int(b, 3);                /* queued */
    put_str(b, state);
    put_str(b, "u1");
    put_str(b, "Ann");
    put_str(b, "client-1");
    put_str(b, "300000 -1 30000 30000 grace");
    put_str(b, "");
}

static void put_lock(struct buf *b, const char *state) {
    put_list(b, 15);
    put_lock_items(b, state);
}

static void put_event_head(struct buf *b, unsigned items, int64_t kind, int64_t rev, int64_t prev) {
    put_list(b, items);
    msgpack_put_int(b, kind);
    msgpack_put_int(b, rev);
    msgpack_put_int(b, prev);
    put_str(b, "contract:7:main");
    put_str(b, "session-1");
}

static void put_ending(struct buf *b) {
    put_list(b, 10);
    put_str(b, "u2");
    put_str(b, "Bob");
    put_str(b, "client-2");
    msgpack_put_int(b, 1763953000000000);
    put_str(b, "MOVED");
    msgpack_put_int(b, 0);
    msgpack_put_false(b);
    msgpack_put_int(b, 1763952000000);
    msgpack_put_int(b, 1763953000000);
    put_str(b, "Ann");
}

static struct str view(const struct buf *b) {
    return (struct str){b->data, b->len};
}

static void make_lock_event(struct buf *b) {
    buf_reset(b);
    put_event_head(b, 8, 0, 1763953000000001, 1763953000000000);
    put_str(b, "MOVED");
    put_lock(b, "grace");
    put_ending(b);
}

static void make_join_event(struct buf *b) {
    buf_reset(b);
    put_event_head(b, 10, 1, 1763953000000002, 1763953000000001);
    put_str(b, "client-1:u:1"); /* a user id may hold a colon */
    put_str(b, "session-1 inc-1 1763953000000 Ann  of Green Gables");
    put_str(b, "session-0");
    put_str(b, "inc-0");
    msgpack_put_int(b, 2);
}

static void make_operation_event(struct buf *b) {
    buf_reset(b);
    put_event_head(b, 10, 5, 1763953000000003, 1763953000000002);
    put_str(b, "TAKEN_BY_ADMIN");
    put_list(b, 4);
    put_str(b, "ops");
    put_str(b, "left for the day");
    put_str(b, "");
    msgpack_put_int(b, 1000);
    put_ending(b);
    put_str(b, "u:2");
    put_str(b, "Bob");
}

static void lock_events_are_read(void **state) {
    struct buf b;
    struct lock_event e;

    (void)state;
    buf_init(&b);
    make_lock_event(&b);
    assert_true(lock_event_decode(view(&b), &e));
    assert_int_equal(e.kind, LOCK_EVENT_LOCK);
    assert_int_equal(e.rev, 1763953000000001);
    assert_int_equal(e.prev, 1763953000000000);
    assert_true(str_eqz(e.resource, "contract:7:main"));
    assert_true(str_eqz(e.actor_session_id, "session-1"));
    assert_int_equal(e.cause, LOCK_CAUSE_MOVED);
    assert_int_equal(e.lock.state, LOCK_STATE_GRACE);
    assert_int_equal(e.lock.token, 1763953000000001);
    assert_int_equal(e.lock.grace_until_ms, 1763953030000);
    assert_int_equal(e.lock.reserved_until_ms, 0);
    assert_int_equal(e.lock.queue_length, 3);
    assert_true(e.lock.dirty);
    assert_true(str_eqz(e.lock.client_id, "client-1"));
    assert_true(e.ended.present);
    assert_int_equal(e.ended.reason, LOCK_CAUSE_MOVED);
    assert_null(e.ended.revision.p);
    assert_true(str_eqz(e.ended.by, "Ann"));
    buf_fini(&b);
}

static void a_lock_has_a_page(void **state) {
    struct buf b;
    struct lock_event e;

    (void)state;
    buf_init(&b);
    put_event_head(&b, 7, 0, 6, 5);
    put_str(&b, "RESUMED");
    buf_append(&b, "\xdc\0\x12", 3);
    put_lock_items(&b, "grace");
    msgpack_put_int(&b, 1763953010000); /* other */
    msgpack_put_int(&b, 1);             /* prompt */
    put_str(&b, "page-0001");
    assert_true(lock_event_decode(view(&b), &e));
    assert_true(e.lock.prompt);
    assert_true(str_eqz(e.lock.page_id, "page-0001"));
    make_lock_event(&b); /* of before there were pages */
    assert_true(lock_event_decode(view(&b), &e));
    assert_int_equal(e.lock.page_id.len, 0);
    buf_fini(&b);
}

static void read_member(const char *value, struct lock_event *e, bool ok) {
    static struct buf b; /* what is read points into it */

    buf_reset(&b);
    put_event_head(&b, 10, 1, 6, 5);
    put_str(&b, "client-1:u1");
    put_str(&b, value);
    put_str(&b, "");
    put_str(&b, "");
    msgpack_put_int(&b, 1);
    assert_int_equal(lock_event_decode(view(&b), e), ok);
    if (!ok) {
        buf_fini(&b);
    }
}

static void a_member_may_have_a_page(void **state) {
    struct lock_event e;

    (void)state;
    read_member("s i 1763953000000/page-0001 Ann / Bob", &e, true);
    assert_int_equal(e.member.joined_ms, 1763953000000);
    assert_true(str_eqz(e.member.username, "Ann / Bob"));
    read_member("s i 1763953000000 Ann/Bob", &e, true);
    assert_int_equal(e.member.joined_ms, 1763953000000);
    assert_true(str_eqz(e.member.username, "Ann/Bob"));
    read_member("s i /page-0001 Ann", &e, false);
    read_member("s i page-0001/1763953000000 Ann", &e, false);
    read_member("s i 1763953000000/page-0001", &e, false);
}

static void operation_events_are_read(void **state) {
    struct buf b;
    struct lock_event e;

    (void)state;
    buf_init(&b);
    make_operation_event(&b);
    assert_true(lock_event_decode(view(&b), &e));
    assert_int_equal(e.kind, LOCK_EVENT_OPERATION);
    assert_int_equal(e.cause, LOCK_CAUSE_TAKEN_BY_ADMIN);
    assert_true(str_eqz(e.operation.actor, "ops"));
    assert_true(str_eqz(e.operation.reason, "left for the day"));
    assert_int_equal(e.operation.address.len, 0);
    assert_int_equal(e.operation.uid, 1000);
    assert_true(str_eqz(e.operation.user_id, "u:2"));
    assert_true(str_eqz(e.operation.username, "Bob"));
    assert_true(e.ended.present);
    buf_fini(&b);
}

static void member_events_are_read(void **state) {
    struct buf b;
    struct lock_event e;

    (void)state;
    buf_init(&b);
    make_join_event(&b);
    assert_true(lock_event_decode(view(&b), &e));
    assert_int_equal(e.kind, LOCK_EVENT_JOIN);
    assert_true(str_eqz(e.member.client_id, "client-1"));
    assert_true(str_eqz(e.member.user_id, "u:1"));
    assert_true(str_eqz(e.member.session_id, "session-1"));
    assert_int_equal(e.member.joined_ms, 1763953000000);
    assert_true(str_eqz(e.member.username, "Ann  of Green Gables"));
    assert_true(str_eqz(e.old_session_id, "session-0"));
    assert_int_equal(e.member_count, 2);
    buf_fini(&b);
}

/* Every truncation and every single wrong byte: refused or read, never a fault (under the
 * sanitizers). */
static void damage_is_survived(void **state) {
    void (*const makers[])(struct buf *) = {make_lock_event, make_join_event, make_operation_event};
    struct lock_event e;
    struct buf b;
    size_t refused = 0;

    (void)state;
    buf_init(&b);
    for (size_t m = 0; m < ARRAY_LEN(makers); m++) {
        makers[m](&b);
        for (size_t len = 0; len < b.len; len++) {
            char *exact = malloc(len + 1); /* so that reading on is seen */

            memcpy(exact, b.data, len);
            assert_false(lock_event_decode((struct str){exact, len}, &e) && len < 20);
            free(exact);
        }
        for (size_t at = 0; at < b.len; at++) {
            for (int value = 0; value < 256; value++) {
                char kept = b.data[at];

                b.data[at] = (char)value;
                refused += lock_event_decode(view(&b), &e) ? 0 : 1;
                b.data[at] = kept;
            }
        }
    }
    assert_true(refused > 1000);
    buf_fini(&b);
}

static void impossible_events_are_refused(void **state) {
    struct lock_event e;
    struct buf b;

    (void)state;
    buf_init(&b);
    put_event_head(&b, 7, 0, 5, 5); /* prev is not before rev */
    put_str(&b, "ACQUIRED");
    put_lock(&b, "held");
    assert_false(lock_event_decode(view(&b), &e));
    buf_reset(&b);
    put_event_head(&b, 7, 0, 6, 5);
    put_str(&b, "NO_SUCH_CAUSE");
    put_lock(&b, "held");
    assert_false(lock_event_decode(view(&b), &e));
    buf_reset(&b);
    put_event_head(&b, 7, 0, 6, 5);
    put_str(&b, "ACQUIRED");
    put_lock(&b, "borrowed");
    assert_false(lock_event_decode(view(&b), &e));
    buf_reset(&b);
    put_event_head(&b, 7, 3, 6, 5); /* no such kind */
    assert_false(lock_event_decode(view(&b), &e));
    buf_reset(&b);
    put_event_head(&b, 7, 1, 6, 5);
    put_str(&b, "no-separator");
    put_str(&b, "s i 1 n");
    assert_false(lock_event_decode(view(&b), &e));
    buf_fini(&b);
}

/* Both sides may grow: what is missing at an array's end is empty, what is too much is skipped. */
static void arrays_may_grow(void **state) {
    struct lock_event e;
    struct buf b;

    (void)state;
    buf_init(&b);
    put_event_head(&b, 11, 0, 6, 5);
    put_str(&b, "ACQUIRED");
    put_lock(&b, "held");
    msgpack_put_false(&b); /* no ending */
    msgpack_put_false(&b); /* no takeover */
    put_list(&b, 2);
    msgpack_put_int(&b, -7);
    put_list(&b, 1);
    put_str(&b, "deep");
    buf_append(&b, "\xcb\x3f\xf0\0\0\0\0\0\0", 9); /* 1.0 */
    assert_true(lock_event_decode(view(&b), &e));
    assert_false(e.ended.present);
    buf_fini(&b);
}

static void a_lie_about_lengths_is_refused(void **state) {
    static const char huge_array[] = "\xdd\xff\xff\xff\xff\x00";
    static const char huge_string[] = "\x91\xdb\xff\xff\xff\xff\x00";
    struct decode_scratch scratch = {0};
    struct script_reply reply;
    struct lock_event e;

    (void)state;
    assert_false(lock_event_decode((struct str){huge_array, 6}, &e));
    assert_false(lock_event_decode((struct str){huge_string, 7}, &e));
    assert_false(lock_event_decode((struct str){NULL, 0}, &e));
    assert_false(script_reply_decode((struct str){huge_array, 6}, &scratch, &reply));
    decode_scratch_fini(&scratch);
}

static void make_reply(struct buf *b, const char *status, const char *outcome) {
    buf_reset(b);
    put_list(b, 15);
    put_str(b, status);
    put_str(b, outcome);
    msgpack_put_int(b, 1763953000000002);
    msgpack_put_int(b, 1763953000123);
    msgpack_put_int(b, 0);
    msgpack_put_int(b, 1763953060000);
    msgpack_put_int(b, 1 | 4);
    put_lock(b, "held");
    msgpack_put_int(b, 2);
    put_ending(b);
    msgpack_put_false(b);
    put_list(b, 1);
    put_event_head(b, 7, 0, 1763953000000002, 1763953000000001);
    put_str(b, "RESUMED");
    put_lock(b, "held");
    put_list(b, 1);
    put_str(b, "contract:7:other");
    put_list(b, 4); /* newest first */
    put_str(b, "c2:u2");
    put_str(b, "s2 i 1763953000002 Bob");
    put_str(b, "c1:u1");
    put_str(b, "s1 i 1763953000001 Ann");
    msgpack_put_int(b, 17);
}

static void replies_are_read(void **state) {
    struct decode_scratch scratch = {0};
    struct script_reply r;
    struct buf b;

    (void)state;
    buf_init(&b);
    make_reply(&b, "OK", "GRANTED");
    assert_true(script_reply_decode(view(&b), &scratch, &r));
    assert_int_equal(r.status, SCRIPT_OK);
    assert_int_equal(r.next_ms, 1763953060000);
    assert_int_equal(r.common.outcome, LOCK_OUT_GRANTED);
    assert_int_equal(r.common.now_ms, 1763953000123);
    assert_true(r.resumed && r.joined);
    assert_true(r.previous.present && !r.lost.present);
    assert_int_equal(r.common.event_count, 1);
    assert_int_equal(r.common.events[0].cause, LOCK_CAUSE_RESUMED);
    assert_int_equal(r.name_count, 1);
    assert_int_equal(r.limit, 2);
    assert_int_equal(r.snapshot.member_listed, 2);
    assert_true(str_eqz(r.snapshot.members[0].username, "Ann")); /* oldest first */
    assert_true(str_eqz(r.snapshot.members[1].username, "Bob"));
    assert_int_equal(r.snapshot.member_count, 17);
    assert_int_equal(r.snapshot.rev, r.common.rev);
    make_reply(&b, "OK", "NO_SUCH_OUTCOME");
    assert_false(script_reply_decode(view(&b), &scratch, &r));
    make_reply(&b, "WHAT", "GRANTED");
    assert_false(script_reply_decode(view(&b), &scratch, &r));
    make_reply(&b, "LATE", "NONE");
    assert_true(script_reply_decode(view(&b), &scratch, &r));
    assert_int_equal(r.status, SCRIPT_LATE);
    assert_int_equal(r.common.event_count, 0);
    for (size_t at = 0; at < b.len; at++) { /* damage */
        for (int value = 0; value < 256; value += 3) {
            make_reply(&b, "OK", "GRANTED");
            b.data[at] = (char)value;
            if (script_reply_decode(view(&b), &scratch, &r)) {
                assert_true(r.snapshot.member_listed <= b.len);
            }
        }
    }
    decode_scratch_fini(&scratch);
    buf_fini(&b);
}

static void numbers_are_bounded(void **state) {
    static const char too_large[] = "\x91\xcf\x00\x20\x00\x00\x00\x00\x00\x00";
    static const char largest[] = "\x91\xcf\x00\x1f\xff\xff\xff\xff\xff\xff";
    static const char least[] = "\x91\xd3\x80\x00\x00\x00\x00\x00\x00\x00";
    struct msgpack m;
    struct msgpack_list list;

    (void)state;
    msgpack_open(&m, &list, (struct str){largest, 10});
    assert_int_equal(msgpack_int(&list), ((int64_t)1 << 53) - 1);
    assert_true(m.ok);
    msgpack_open(&m, &list, (struct str){too_large, 10});
    assert_int_equal(msgpack_int(&list), 0);
    assert_false(m.ok);
    msgpack_open(&m, &list, (struct str){least, 10});
    assert_int_equal(msgpack_int(&list), 0);
    assert_false(m.ok);
}

static void integers_survive_the_way(void **state) {
    static const int64_t values[] = {0,     1,      127,        128,         255,
                                     65536, 999999, 0xffffffff, 0x100000000, 9007199254740991,
                                     -1,    -32,    -33,        -70000,      -9007199254740991};
    struct msgpack m;
    struct msgpack_list list;
    struct buf b;

    (void)state;
    buf_init(&b);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        buf_reset(&b);
        put_list(&b, 1);
        msgpack_put_int(&b, values[i]);
        msgpack_open(&m, &list, view(&b));
        assert_true(msgpack_int(&list) == values[i] && m.ok);
    }
    buf_fini(&b);
}

static void crc16_is_that_of_redis(void **state) {
    (void)state;
    assert_int_equal(crc16(str_of("123456789")), 0x31c3);
    assert_int_equal(crc16(str_of("")), 0);
    assert_int_equal(crc16(str_of("foo")) % 16384, 12182); /* CLUSTER KEYSLOT foo */
}

static void documents_are_two_parts(void **state) {
    (void)state;
    assert_true(str_eqz(args_document(str_of("contract:7:main")), "contract:7"));
    assert_true(str_eqz(args_document(str_of("x")), "x"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lock_events_are_read),
        cmocka_unit_test(a_lock_has_a_page),
        cmocka_unit_test(a_member_may_have_a_page),
        cmocka_unit_test(operation_events_are_read),
        cmocka_unit_test(member_events_are_read),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(impossible_events_are_refused),
        cmocka_unit_test(arrays_may_grow),
        cmocka_unit_test(a_lie_about_lengths_is_refused),
        cmocka_unit_test(replies_are_read),
        cmocka_unit_test(numbers_are_bounded),
        cmocka_unit_test(integers_survive_the_way),
        cmocka_unit_test(crc16_is_that_of_redis),
        cmocka_unit_test(documents_are_two_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
