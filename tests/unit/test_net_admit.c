/* Counting connections and handshakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/net/admit.h"

#define SECOND_US UINT64_C(1000000)

static const struct admit_limits LIMITS = {
    .connections = 3, .connections_per_address = 2, .handshakes_per_second = 5};

static struct address address(const char *text) {
    struct address a;
    assert_true(address_parse(str_of(text), &a));
    return a;
}

static void test_connections_in_all(void **state) {
    (void)state;
    struct admit *admit = admit_create();
    struct admit_entry *entries[4] = {NULL};
    const char *const texts[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"};
    for (size_t i = 0; i < 4; i++) {
        struct address a = address(texts[i]);
        assert_int_equal(admit_enter(admit, &LIMITS, &a, 0, &entries[i]),
                         i < 3 ? ADMIT_OK : ADMIT_FULL);
    }
    assert_null(entries[3]);
    admit_leave(admit, &entries[0], 0);
    assert_null(entries[0]);
    assert_int_equal(admit_connections(admit), 2);
    struct address a = address("10.0.0.4");
    assert_int_equal(admit_enter(admit, &LIMITS, &a, 0, &entries[3]), ADMIT_OK);
    for (size_t i = 1; i < 4; i++)
        admit_leave(admit, &entries[i], 0);
    admit_leave(admit, &entries[0], 0); /* twice is harmless */
    assert_int_equal(admit_connections(admit), 0);
    admit_destroy(&admit);
    assert_null(admit);
}

static void test_connections_of_an_address(void **state) {
    (void)state;
    struct admit *admit = admit_create();
    struct admit_entry *entries[3] = {NULL};
    struct address a = address("10.0.0.1"), b = address("10.0.0.2");
    assert_int_equal(admit_enter(admit, &LIMITS, &a, 0, &entries[0]), ADMIT_OK);
    assert_int_equal(admit_enter(admit, &LIMITS, &a, 0, &entries[1]), ADMIT_OK);
    assert_int_equal(admit_enter(admit, &LIMITS, &a, 0, &entries[2]), ADMIT_ADDRESS_FULL);
    assert_int_equal(admit_enter(admit, &LIMITS, &b, 0, &entries[2]), ADMIT_OK);
    struct admit_limits unlimited = {100, CONFIG_NO_LIMIT, 5};
    struct admit_entry *more[20];
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(admit_enter(admit, &unlimited, &a, 0, &more[i]), ADMIT_OK);
    admit_destroy(&admit);
}

static void test_handshakes_of_a_second(void **state) {
    (void)state;
    struct admit *admit = admit_create();
    struct address a = address("10.0.0.1"), b = address("10.0.0.2");
    uint64_t now = 100 * SECOND_US;
    for (int i = 0; i < 5; i++)
        assert_true(admit_handshake(admit, &LIMITS, &a, now));
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
    struct admit_entry *entry;
    for (int i = 0; i < 5; i++)
        assert_true(admit_handshake(admit, &LIMITS, &a, 0));
    assert_int_equal(admit_enter(admit, &LIMITS, &a, 0, &entry), ADMIT_OK);
    admit_leave(admit, &entry, 1);
    assert_false(admit_handshake(admit, &LIMITS, &a, 2));
    admit_destroy(&admit);
}

static void test_addresses_are_forgotten(void **state) {
    (void)state;
    struct admit *admit = admit_create();
    struct admit_entry *entry;
    struct address stays = address("10.9.9.9");
    assert_int_equal(admit_enter(admit, &LIMITS, &stays, 0, &entry), ADMIT_OK);
    for (uint8_t i = 0; i < 200; i++) {
        struct address a = {.len = 4, .bytes = {10, 0, 0, i}};
        assert_true(admit_handshake(admit, &LIMITS, &a, i));
    }
    assert_int_equal(admit_entries(admit), 201);
    struct address last = address("10.1.1.1");
    assert_true(admit_handshake(admit, &LIMITS, &last, 3 * SECOND_US));
    assert_int_equal(admit_entries(admit), 2);
    admit_leave(admit, &entry, 3 * SECOND_US);
    assert_true(admit_handshake(admit, &LIMITS, &last, 6 * SECOND_US));
    assert_int_equal(admit_entries(admit), 1);
    admit_destroy(&admit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_in_all),
        cmocka_unit_test(test_connections_of_an_address),
        cmocka_unit_test(test_handshakes_of_a_second),
        cmocka_unit_test(test_a_bucket_outlives_its_connections),
        cmocka_unit_test(test_addresses_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
