/* What a Sentinel sends, whole, in pieces, and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../src/redis/sentinel_reply.h"

#define ADDRESS "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6380\r\n"
#define MESSAGE "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n"

/* Reads a copy on the heap, so that sanitizers see a read behind the end. */
static ssize_t read_bytes(const char *data, size_t len, struct sentinel_reply *out) {
    static char *copy;

    free(copy);
    copy = malloc(len > 0 ? len : 1);
    memcpy(copy, data, len);
    return sentinel_reply_read((struct str){copy, len}, out);
}

static ssize_t read_text(const char *text, struct sentinel_reply *out) {
    return read_bytes(text, strlen(text), out);
}

static void every_kind_is_read(void **state) {
    struct sentinel_reply r;

    (void)state;
    assert_int_equal(read_text("+OK\r\nmore", &r), 5);
    assert_true(r.type == '+' && r.count == 1 && str_eqz(r.items[0], "OK"));
    assert_int_equal(read_text("-NOAUTH Authentication required.\r\n", &r), 34);
    assert_true(r.type == '-' && str_eqz(r.items[0], "NOAUTH Authentication required."));
    assert_int_equal(read_text("$-1\r\n", &r), 5);
    assert_true(r.nil && r.count == 0);
    assert_int_equal(read_text("*-1\r\n", &r), 5);
    assert_true(r.nil && r.count == 0);
    assert_int_equal(read_text("*0\r\n", &r), 4);
    assert_true(!r.nil && r.count == 0);
    assert_int_equal(read_text("*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n", &r), 30);
    assert_true(r.count == 3 && str_eqz(r.items[2], "1"));
    assert_int_equal(read_text("*2\r\n$4\r\npong\r\n$0\r\n\r\n", &r), 20);
    assert_true(r.count == 2 && r.items[1].len == 0);
}

static void a_part_is_not_complete(void **state) {
    static const char *const wholes[] = {ADDRESS, "+OK\r\n", "$5\r\nhello\r\n",
                                         MESSAGE "$1\r\nx\r\n"};
    struct sentinel_reply r;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wholes); i++) {
        size_t len = strlen(wholes[i]);

        for (size_t part = 0; part < len; part++) {
            assert_int_equal(read_bytes(wholes[i], part, &r), 0);
        }
        assert_int_equal(read_bytes(wholes[i], len, &r), len);
    }
}

static void anything_else_is_malformed(void **state) {
    static const char *const cases[] = {
        "HTTP/1.1 400 Bad Request\r\n",
        "*2\r\n*1\r\n$1\r\nx\r\n$1\r\ny\r\n", /* nested */
        "*5\r\n",                             /* more items than anything has */
        "*1152921504606846976\r\n",
        "*-2\r\n",
        "*\r\n",
        "*x\r\n",
        "$2147483648\r\n",
        "$2049\r\n",
        "$-2\r\n",
        "$3\r\nabcd\r\n",
        "$3\r\nabc\rx",
        "*2\r\n$-1\r\n$1\r\nx\r\n",
        "+OK\rx",
        "%1\r\n+a\r\n+b\r\n", /* RESP3 */
        "\r\n",
    };
    struct sentinel_reply r;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (read_text(cases[i], &r) != -1) {
            fail_msg("case %zu: %s", i, cases[i]);
        }
    }
    assert_int_equal(read_bytes("\0\r\n", 3, &r), -1);
}

static void its_length_is_bounded(void **state) {
    char text[SENTINEL_REPLY_MAX_BYTES + 64];
    struct sentinel_reply r;

    (void)state;
    memset(text, 'x', sizeof text);
    text[0] = '-';
    assert_int_equal(read_bytes(text, SENTINEL_REPLY_MAX_BYTES - 1, &r), 0);
    assert_int_equal(read_bytes(text, SENTINEL_REPLY_MAX_BYTES, &r), -1);
    memcpy(text, "*2\r\n$2000\r\n", 11);
    assert_int_equal(read_bytes(text, 1000, &r), 0);
    memcpy(text + 2011, "\r\n$2000\r\n", 9);
    assert_int_equal(read_bytes(text, SENTINEL_REPLY_MAX_BYTES + 1, &r), -1);
}

static bool address_of(const char *reply, struct redis_address *out, struct str *problem) {
    struct sentinel_reply r;

    assert_int_equal(read_text(reply, &r), strlen(reply));
    return sentinel_reply_address(&r, out, problem);
}

static void an_address_is_checked(void **state) {
    static const char *const wrong[] = {
        "+OK\r\n",
        ":1\r\n",
        "*0\r\n",
        "*1\r\n$9\r\n127.0.0.1\r\n",
        "*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n1\r\n",
        "*2\r\n$9\r\n127.0.0.1\r\n$1\r\n0\r\n",
        "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n65536\r\n",
        "*2\r\n$9\r\n127.0.0.1\r\n$2\r\n-1\r\n",
        "*2\r\n$9\r\n127.0.0.1\r\n$0\r\n\r\n",
        "*2\r\n$9\r\n127.0.0.1\r\n$20\r\n99999999999999999999\r\n",
        "*2\r\n$0\r\n\r\n$4\r\n6379\r\n",
        "*2\r\n$5\r\na b\nc\r\n$4\r\n6379\r\n",
        "*2\r\n$8\r\n/tmp/a.s\r\n$4\r\n6379\r\n",
    };
    struct redis_address a;
    struct str problem;
    char text[400];

    (void)state;
    assert_true(address_of(ADDRESS, &a, &problem));
    assert_string_equal(a.host, "127.0.0.1");
    assert_int_equal(a.port, 6380);
    assert_true(address_of("*2\r\n$11\r\nfe80::1%eth\r\n$5\r\n65535\r\n", &a, &problem));
    assert_string_equal(a.host, "fe80::1%eth");
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (address_of(wrong[i], &a, &problem)) {
            fail_msg("case %zu: %s", i, wrong[i]);
        }
        assert_true(str_eqz(problem, "its answer is not an address"));
    }
    snprintf(text, sizeof text, "*2\r\n$254\r\n%0254d\r\n$1\r\n1\r\n", 7);
    assert_false(address_of(text, &a, &problem));
    assert_false(address_of("*-1\r\n", &a, &problem));
    assert_true(str_eqz(problem, "it does not know this master"));
    assert_false(address_of("-IDONTKNOW No such master\r\n", &a, &problem));
    assert_true(str_eqz(problem, "IDONTKNOW No such master"));
}

static bool switch_of(const char *payload, struct redis_address *out) {
    char text[400];
    struct sentinel_reply r;

    snprintf(text, sizeof text, MESSAGE "$%zu\r\n%s\r\n", strlen(payload), payload);
    assert_int_equal(read_text(text, &r), strlen(text));
    return sentinel_reply_switch(&r, "wslock", out);
}

static void a_switch_names_the_new_address(void **state) {
    static const char *const wrong[] = {
        "other 10.0.0.1 6379 10.0.0.2 6380",
        "wslock 10.0.0.1 6379 10.0.0.2",
        "wslock 10.0.0.1 6379 10.0.0.2 6380 ",
        "wslock 10.0.0.1 6379 10.0.0.2 0",
        "wslock 10.0.0.1 6379  6380",
        "wslock",
        "",
    };
    const struct redis_address same = {.host = "10.0.0.2", .port = 6380},
                               host = {.host = "10.0.0.3", .port = 6380},
                               port = {.host = "10.0.0.2", .port = 6379};
    struct redis_address a;
    struct sentinel_reply r;

    (void)state;
    assert_true(switch_of("wslock 10.0.0.1 6379 10.0.0.2 6380", &a));
    assert_true(redis_address_eq(&a, &same));
    assert_false(redis_address_eq(&a, &host) || redis_address_eq(&a, &port));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_false(switch_of(wrong[i], &a));
    }
    assert_true(read_text("*3\r\n$7\r\nmessage\r\n$6\r\n+sdown\r\n$1\r\nx\r\n", &r) > 0);
    assert_false(sentinel_reply_switch(&r, "wslock", &a));
    assert_true(read_text("*2\r\n$4\r\npong\r\n$0\r\n\r\n", &r) > 0);
    assert_false(sentinel_reply_switch(&r, "wslock", &a));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(a_part_is_not_complete),
        cmocka_unit_test(anything_else_is_malformed),
        cmocka_unit_test(its_length_is_bounded),
        cmocka_unit_test(an_address_is_checked),
        cmocka_unit_test(a_switch_names_the_new_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
