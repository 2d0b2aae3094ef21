/* Counting connections and handshakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The inside too: what is forgotten shows nowhere else. */
#include "../../src/net/admit.c" /* NOLINT(bugprone-suspicious-include) */

#define SECOND_US UINT64_C(1000000)

static const struct admit_limits LIMITS = {
    .connections = 3, .connections_per_address = 2, .handshakes_per_second = 5};

static struct address address(const char *text) {
    struct address a;
    assert_true(address_parse(str_of(text), &a));
    return a;
}

static enum admit_result enter(struct admit *admit, const struct admit_limits *limits,
                               const struct address *from, struct admit_place *place) {
    return admit_enter(admit, limits, from, 0, place);
}

static void test_connections_in_all(void **state) {
    (void)state;
    struct admit *admit = admit_create();
    struct admit_place places[4] = {{NULL, false}};
    const char *const texts[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"};
    for (size_t i = 0; i < 4; i++) {
        struct address a = address(texts[i]);
        assert_int_equal(enter(admit, &LIMITS, &a, &places[i]), i < 3 ? ADMIT_OK : ADMIT_FULL);
    }
    assert_null(places[3].entry);
    admit_leave(admit, &places[0], 0);
    assert_null(places[0].entry);
    admit_leave(admit, &places[0], 0); /* twice is harmless */
    struct address a = address("10.0.0.4");
    assert_int_equal(enter(admit, &LIMITS, &a, &places[3]), ADMIT_OK);
    assert_int_equal(enter(admit, &LIMITS, &a, &places[0]), ADMIT_FULL);
    for (size_t i = 1; i < 4; i++) {
        admit_leave(admit, &places[i], 0);
    }
    for (size_t i = 0; i < 3; i++) {
        struct address b = address(texts[i]);
        assert_int_equal(enter(admit, &LIMITS, &b, &places[i]), ADMIT_OK);
    }
    admit_destroy(&admit);
    assert_null(admit);
}

static void test_connections_of_an_address(void **state) {
    (void)state;
    struct admit *admit = admit_create();
    struct admit_place places[3] = {{NULL, false}};
    struct address a = address("10.0.0.1"), b = address("10.0.0.2");
    assert_int_equal(enter(admit, &LIMITS, &a, &places[0]), ADMIT_OK);
    assert_int_equal(enter(admit, &LIMITS, &a, &places[1]), ADMIT_OK);
    assert_int_equal(enter(admit, &LIMITS, &a, &places[2]), ADMIT_ADDRESS_FULL);
    assert_int_equal(enter(admit, &LIMITS, &b, &places[2]), ADMIT_OK);
    struct admit_limits unlimited = {100, CONFIG_NO_LIMIT, 5};
    struct admit_place more[20] = {{NULL, false}};
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(enter(admit, &unlimited, &a, &more[i]), ADMIT_OK);
    }
    admit_destroy(&admit);
}

/* From the accept on, whether a request comes or not; at the request it is not counted again. */
static void test_sockets_count_before_their_request(void **state) {
    (void)state;
    struct admit *admit = admit_create();
    struct admit_place places[3] = {{NULL, false}};
    struct address a = address("10.0.0.1");
    for (size_t i = 0; i < 3; i++) {
        assert_true(admit_accept(admit, &LIMITS, &a, 0, &places[i]));
    }
    assert_int_equal(enter(admit, &LIMITS, &a, &places[2]), ADMIT_ADDRESS_FULL);
    assert_int_equal(enter(admit, &LIMITS, &a, &places[0]), ADMIT_OK);
    assert_int_equal(enter(admit, &LIMITS, &a, &places[0]), ADMIT_OK);
    admit_leave(admit, &places[1], 0);
    assert_int_equal(enter(admit, &LIMITS, &a, &places[2]), ADMIT_OK); /* its place is free now */
    assert_int_equal(enter(admit, &LIMITS, &a, &places[1]), ADMIT_ADDRESS_FULL);
    admit_leave(admit, &places[0], 0);
    admit_leave(admit, &places[2], 0);
    assert_int_equal(map_count(admit->entries), 1);
    forget_idle(admit, 3 * SECOND_US);
    assert_int_equal(map_count(admit->entries), 0);
    admit_destroy(&admit);
}

static void test_few_wait_to_be_told(void **state) {
    (void)state;
    struct admit *admit = admit_create();
    struct admit_place places[2 + ADMIT_TOLD_MAX] = {{NULL, false}}, more = {NULL, false};
    struct address a = address("10.0.0.1"), b = address("10.0.0.2");
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        assert_true(admit_accept(admit, &LIMITS, &a, 0, &places[i]));
    }
    assert_false(admit_accept(admit, &LIMITS, &a, 0, &more));
    assert_null(more.entry);
    assert_true(admit_accept(admit, &LIMITS, &b, 0, &more)); /* another address has its own */
    admit_leave(admit, &more, 0);
    admit_leave(admit, &places[5], 0);
    assert_true(admit_accept(admit, &LIMITS, &a, 0, &places[5]));
    /* One that is counted after all waits no longer, and so makes room for another. */
    admit_leave(admit, &places[0], 0);
    assert_int_equal(enter(admit, &LIMITS, &a, &places[5]), ADMIT_OK);
    assert_true(admit_accept(admit, &LIMITS, &a, 0, &places[0]));
    assert_false(admit_accept(admit, &LIMITS, &a, 0, &more));
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        admit_leave(admit, &places[i], 0);
    }
    assert_true(admit_accept(admit, &LIMITS, &a, 0, &more));
    assert_true(more.counted);
    admit_destroy(&admit);
}

static void test_handshakes_of_a_second(void **state) {
    (void)state;
    struct admit *admit = admit_create();
    struct address a = address("10.0.0.1"), b = address("10.0.0.2");
    uint64_t now = 100 * SECOND_US;
    for (int i = 0; i < 5; i++) {
        assert_true(admit_handshake(admit, &LIMITS, &a, now));
    }
    assert_false(admit_handshake(admit, &LIMITS, &a, now));
    assert_true(admit_handshake(admit, &LIMITS, &b, now));
    now += SECOND_US / 5 + 1;
    assert_true(admit_handshake(admit, &LIMITS, &a, now));
    assert_false(admit_handshake(admit, &LIMITS, &a, now));
    admit_destroy(&admit);
}

/* A connection that stays does not make the bucket fresh, and one that goes does not either. */
static void test_a_bucket_outlives_its_connections(void **state) {
    (void)state;
    struct admit *admit = admit_create();
    struct address a = address("10.0.0.1");
    struct admit_place place = {NULL, false};
    for (int i = 0; i < 5; i++) {
        assert_true(admit_handshake(admit, &LIMITS, &a, 0));
    }
    assert_true(admit_accept(admit, &LIMITS, &a, 0, &place));
    admit_leave(admit, &place, 1);
    assert_false(admit_handshake(admit, &LIMITS, &a, 2));
    admit_destroy(&admit);
}

static void test_addresses_are_forgotten(void **state) {
    (void)state;
    struct admit *admit = admit_create();
    struct admit_place place = {NULL, false};
    struct address stays = address("10.9.9.9");
    assert_true(admit_accept(admit, &LIMITS, &stays, 0, &place));
    for (uint8_t i = 0; i < 200; i++) {
        struct address a = {.len = 4, .bytes = {10, 0, 0, i}};
        assert_true(admit_handshake(admit, &LIMITS, &a, i));
    }
    assert_int_equal(map_count(admit->entries), 201);
    struct address last = address("10.1.1.1");
    assert_true(admit_handshake(admit, &LIMITS, &last, 3 * SECOND_US));
    assert_int_equal(map_count(admit->entries), 2);
    admit_leave(admit, &place, 3 * SECOND_US);
    assert_true(admit_handshake(admit, &LIMITS, &last, 6 * SECOND_US));
    assert_int_equal(map_count(admit->entries), 1);
    admit_destroy(&admit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_in_all),
        cmocka_unit_test(test_connections_of_an_address),
        cmocka_unit_test(test_sockets_count_before_their_request),
        cmocka_unit_test(test_few_wait_to_be_told),
        cmocka_unit_test(test_handshakes_of_a_second),
        cmocka_unit_test(test_a_bucket_outlives_its_connections),
        cmocka_unit_test(test_addresses_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
