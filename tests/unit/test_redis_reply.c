/* Replies in memory of our own read as those that hiredis allocates, whatever comes before them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/redis/reply_memory.h"
#include "wslock/base/mem.h"

static struct reply_memory memory;
static redisReader *reader;

static int set_up(void **state) {
    (void)state;
    reader = redisReaderCreate();
    assert_non_null(reader);
    reply_memory_init(&memory);
    reply_memory_use(&memory, reader);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    redisReaderFree(reader);
    reply_memory_fini(&memory);
    return 0;
}

static redisReply *read_reply(const char *text, size_t len) {
    void *reply = NULL;

    assert_int_equal(redisReaderFeed(reader, text, len), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    return reply;
}

static void assert_same(const redisReply *a, const redisReply *b) {
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->integer, b->integer);
    assert_int_equal(a->len, b->len);
    assert_int_equal(a->elements, b->elements);
    if (b->str != NULL) {
        assert_memory_equal(a->str, b->str, (size_t)b->len + 1);
    }
    for (size_t i = 0; i < b->elements; i++) {
        assert_same(a->element[i], b->element[i]);
    }
}

static void assert_read(const char *text, size_t len) {
    redisReader *other = redisReaderCreate();
    void *expected = NULL;
    redisReply *reply = NULL;

    assert_int_equal(redisReaderFeed(other, text, len), REDIS_OK);
    assert_int_equal(redisReaderGetReply(other, &expected), REDIS_OK);
    assert_non_null(expected);
    for (size_t i = 0; i < len; i++) { /* the elements come one by one */
        assert_null(reply);
        reply = read_reply(text + i, 1);
    }
    assert_non_null(reply);
    assert_same(reply, expected);
    reader->fn->freeObject(reply);
    freeReplyObject(expected);
    redisReaderFree(other);
}

static const char *const texts[] = {
    "+OK\r\n",
    "-ERR no\r\n",
    ":-7\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "$0\r\n\r\n",
    "$5\r\na\0b\r\n\r\n",
    "*0\r\n",
    "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n*-1\r\n$-1\r\n",
    "*2\r\n*1\r\n*1\r\n*2\r\n+a\r\n-b\r\n*0\r\n",
};

static size_t length(size_t i) {
    return i == 6 ? 11 : strlen(texts[i]);
}

static void each_kind_reads_as_by_hiredis(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_read(texts[i], length(i));
    }
}

static void a_reply_may_be_larger_than_a_block(void **state) {
    enum { BYTES = 100000, COUNT = 5000 };
    char *text = mem_alloc(BYTES + 64);
    int len = sprintf(text, "*3\r\n:1\r\n$%d\r\n", BYTES - 32);

    (void)state;
    memset(text + len, 'x', BYTES - 32);
    memcpy(text + len + BYTES - 32, "\r\n$1\r\ny\r\n", 9);
    assert_read(text, (size_t)len + BYTES - 32 + 9);
    len = sprintf(text, "*%d\r\n", COUNT);
    for (int i = 0; i < COUNT; i++) {
        len += sprintf(text + len, "$3\r\n%03d\r\n", i % 1000);
    }
    assert_read(text, (size_t)len);
    assert_read("+OK\r\n", 5);
    mem_free(text);
}

static void what_was_read_of_a_broken_reply_is_forgotten(void **state) {
    static const char text[] = "*2\r\n*2\r\n$3\r\nabc\r\n?\r\n";
    void *reply = NULL;

    (void)state;
    assert_int_equal(redisReaderFeed(reader, text, sizeof text - 1), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_ERR);
    assert_null(reply);
}

static void a_reply_may_be_left_unfinished(void **state) {
    (void)state;
    assert_null(read_reply("*3\r\n$1\r\nx\r\n", 11));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_kind_reads_as_by_hiredis, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reply_may_be_larger_than_a_block, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_read_of_a_broken_reply_is_forgotten, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reply_may_be_left_unfinished, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
