/* What a node of a Cluster answers to CLUSTER SLOTS, whole and wrong, and where MOVED leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../src/redis/cluster_reply.h"
#include "../../src/redis/hiredis_api.h"

#define ID "$2\r\nid\r\n"
#define NODE(host, port) "*3\r\n" host ":" port "\r\n" ID
#define HOST "$9\r\n127.0.0.1\r\n"
#define RANGE(first, last, node) "*3\r\n:" first "\r\n:" last "\r\n" node

static struct redis_cluster_map map;

/* NULL: it is a map. */
static const char *problem_of(const char *text, const char *host) {
    redisReader *reader = redisReaderCreate();
    const char *problem = NULL;
    void *reply = NULL;

    assert_int_equal(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    if (cluster_reply_map(reply, host, &map, &problem)) {
        assert_null(problem);
    } else {
        assert_non_null(problem);
    }
    freeReplyObject(reply);
    redisReaderFree(reader);
    return problem;
}

static void assert_master(unsigned slot, const char *host, int port) {
    const struct redis_address *master = redis_cluster_master(&map, slot);

    assert_non_null(master);
    assert_string_equal(master->host, host);
    assert_int_equal(master->port, port);
}

static void every_slot_has_the_master_that_was_told(void **state) {
    (void)state;
    assert_null(problem_of("*3\r\n" RANGE("0", "99", NODE(HOST, "7000"))
                               RANGE("101", "101", NODE("$3\r\n::1\r\n", "7001"))
                                   RANGE("16383", "16383", NODE(HOST, "7000")),
                           NULL));
    assert_int_equal(map.master_count, 2);
    assert_master(0, "127.0.0.1", 7000);
    assert_master(99, "127.0.0.1", 7000);
    assert_null(redis_cluster_master(&map, 100));
    assert_master(101, "::1", 7001);
    assert_null(redis_cluster_master(&map, 102));
    assert_master(16383, "127.0.0.1", 7000);
    assert_null(redis_cluster_master(&map, 16384));
}

static void a_master_without_a_host_is_at_the_host_that_was_asked(void **state) {
    (void)state;
    assert_null(problem_of("*2\r\n" RANGE("0", "1", NODE("$0\r\n\r\n", "7000"))
                               RANGE("2", "3", NODE("$-1\r\n", "7001")),
                           "redis.example"));
    assert_master(1, "redis.example", 7000);
    assert_master(2, "redis.example", 7001);
    assert_non_null(problem_of("*1\r\n" RANGE("0", "1", NODE("$-1\r\n", "7000")), NULL));
}

static void replicas_and_further_fields_mean_nothing(void **state) {
    (void)state;
    assert_null(problem_of("*1\r\n*5\r\n:0\r\n:16383\r\n"
                           "*4\r\n" HOST ":7000\r\n" ID
                           "*2\r\n$8\r\nhostname\r\n$1\r\nh\r\n" NODE(HOST, "7001") "*0\r\n",
                           NULL));
    assert_int_equal(map.master_count, 1);
    assert_master(5, "127.0.0.1", 7000);
}

static void anything_else_is_refused(void **state) {
    static const char *const cases[] = {
        "+OK\r\n",
        "$-1\r\n",
        "*0\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n*0\r\n",
        "*1\r\n*2\r\n:0\r\n:1\r\n",                       /* no master */
        "*1\r\n" RANGE("0", "1", "*0\r\n"),               /* nor here */
        "*1\r\n" RANGE("0", "1", "*1\r\n" HOST),          /* no port */
        "*1\r\n" RANGE("0", "1", "$4\r\nhost\r\n"),       /* no list */
        "*1\r\n" RANGE("0", "1", NODE(":7\r\n", "7000")), /* a host that is no text */
        "*1\r\n" RANGE("0", "1", NODE("$1\r\n?\r\n", "7000")),
        "*1\r\n" RANGE("0", "1", NODE("$3\r\na b\r\n", "7000")),
        "*1\r\n" RANGE("0", "1", NODE(HOST, "0")),
        "*1\r\n" RANGE("0", "1", NODE(HOST, "65536")),
        "*1\r\n" RANGE("0", "1", NODE(HOST, "-1")),
        "*1\r\n" RANGE("-1", "1", NODE(HOST, "7000")),
        "*1\r\n" RANGE("0", "16384", NODE(HOST, "7000")),
        "*1\r\n" RANGE("2", "1", NODE(HOST, "7000")),
        "*2\r\n" RANGE("0", "5", NODE(HOST, "7000"))
            RANGE("5", "6", NODE(HOST, "7001")), /* twice */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_non_null(problem_of(cases[i], "127.0.0.1"));
    }
}

static void more_masters_than_a_cluster_has_are_refused(void **state) {
    char *text = malloc(200000);

    (void)state;
    for (int count = 1000; count <= 1001; count++) {
        char *end = text + sprintf(text, "*%d\r\n", count);
        for (int i = 0; i < count; i++) {
            end += sprintf(end, "*3\r\n:%d\r\n:%d\r\n" NODE(HOST, "%d"), i, i, 7000 + i);
        }
        assert_int_equal(problem_of(text, NULL) == NULL, count == 1000);
    }
    free(text);
}

static void a_redirection_names_the_node(void **state) {
    const struct redis_address from = {.host = "10.0.0.1", .port = 7000};
    static const struct {
        const char *error, *host;
        int port;
    } cases[] = {
        {"MOVED 3999 127.0.0.1:6381", "127.0.0.1", 6381},
        {"MOVED 1 redis.example:1", "redis.example", 1},
        {"MOVED 1 ::1:6381", "::1", 6381},
        {"MOVED 1 :6381", "10.0.0.1", 6381},
        {"MOVED 1 ?:6381", NULL, 0},
        {"MOVED 1 127.0.0.1:0", NULL, 0},
        {"MOVED 1 127.0.0.1", NULL, 0},
        {"MOVED 1", NULL, 0},
        {"ASK 1 127.0.0.1:6381", "127.0.0.1", 6381},
        {"ASK 1 :6381", "10.0.0.1", 6381},
        {"ASK 1 127.0.0.1", NULL, 0},
        {"ASKING 1 127.0.0.1:6381", NULL, 0},
        {"TRYAGAIN 1 127.0.0.1:6381", NULL, 0},
        {"MOVED", NULL, 0},
        {"", NULL, 0},
    };
    struct redis_address to;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool found = redis_cluster_redirect(cases[i].error, &from, &to);

        assert_int_equal(found, cases[i].host != NULL);
        if (found) {
            assert_int_equal(to.asking, strncmp(cases[i].error, "ASK ", 4) == 0);
            assert_string_equal(to.host, cases[i].host);
            assert_int_equal(to.port, cases[i].port);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_slot_has_the_master_that_was_told),
        cmocka_unit_test(a_master_without_a_host_is_at_the_host_that_was_asked),
        cmocka_unit_test(replicas_and_further_fields_mean_nothing),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(more_masters_than_a_cluster_has_are_refused),
        cmocka_unit_test(a_redirection_names_the_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
