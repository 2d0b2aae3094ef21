/* Addresses: text, ranges, and the one behind proxies. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/net/address.h"

static struct address parsed(const char *text) {
    struct address a;
    assert_true(address_parse(str_of(text), &a));
    return a;
}

static void assert_text(const struct address *a, const char *expected) {
    char text[ADDRESS_TEXT_MAX];
    address_format(a, text);
    assert_string_equal(text, expected);
}

static void test_parse_and_format(void **state) {
    (void)state;
    static const char *const CASES[][2] = {
        {"127.0.0.1", "127.0.0.1"},
        {"::1", "::1"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::ffff:10.1.2.3", "10.1.2.3"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct address a = parsed(CASES[i][0]);
        assert_text(&a, CASES[i][1]);
    }
}

static void test_parse_refuses(void **state) {
    (void)state;
    static const char *const CASES[] = {
        "",
        "x",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.4:5",
        "[::1]",
        "fe80::1%eth0",
        ":::",
        "1.2.3.4 ",
        "11111111111111111111111111111111111111111111111111111111111111111111111111111"};
    struct address a;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        assert_false(address_parse(str_of(CASES[i]), &a));
    }
    assert_false(address_parse((struct str){"1.2.3.4\0x", 9}, &a));
}

static void test_sockaddr(void **state) {
    (void)state;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a010203)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr unix_socket = {.sa_family = AF_UNIX};
    inet_pton(AF_INET6, "::ffff:10.1.2.3", &v6.sin6_addr);
    struct address a = address_of_sockaddr((struct sockaddr *)&v4);
    assert_text(&a, "10.1.2.3");
    a = address_of_sockaddr((struct sockaddr *)&v6);
    assert_text(&a, "10.1.2.3");
    a = address_of_sockaddr(&unix_socket);
    assert_text(&a, "");
}

static void test_limit_key_of_ipv6_is_a_64(void **state) {
    (void)state;
    struct address a = parsed("2001:db8:0:1::1"), b = parsed("2001:db8:0:1:ffff::2"),
                   c = parsed("2001:db8:0:2::1"), d = parsed("10.0.0.1"), e = parsed("10.0.0.2");
    assert_true(str_eq(address_limit_key(&a), address_limit_key(&b)));
    assert_false(str_eq(address_limit_key(&a), address_limit_key(&c)));
    assert_false(str_eq(address_limit_key(&d), address_limit_key(&e)));
}

static bool contains(const char *range, const char *address) {
    char text[64];
    char *items[] = {text};
    struct config_strings texts = {items, 1, true};
    struct address_ranges ranges;
    struct address a = parsed(address);
    strcpy(text, range);
    assert_true(address_ranges_parse(&texts, &ranges));
    bool result = address_ranges_contain(&ranges, &a);
    address_ranges_fini(&ranges);
    return result;
}

static void test_ranges(void **state) {
    (void)state;
    assert_true(contains("10.0.0.0/8", "10.255.0.1"));
    assert_false(contains("10.0.0.0/8", "11.0.0.1"));
    assert_true(contains("10.0.0.0/9", "10.127.0.1"));
    assert_false(contains("10.0.0.0/9", "10.128.0.1"));
    assert_true(contains("10.1.2.3", "10.1.2.3"));
    assert_false(contains("10.1.2.3", "10.1.2.2"));
    assert_true(contains("0.0.0.0/0", "1.2.3.4"));
    assert_false(contains("0.0.0.0/0", "::1"));
    assert_true(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
    assert_true(contains("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(contains("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(contains("::1/128", "::1"));
    assert_true(contains("::ffff:10.0.0.1", "10.0.0.1"));
    assert_true(contains("::ffff:10.0.0.1/128", "10.0.0.1"));
    assert_false(contains("::ffff:10.0.0.1/128", "10.0.0.2"));
    assert_true(contains("::ffff:10.0.0.0/104", "10.255.0.1"));
    assert_false(contains("::ffff:10.0.0.0/104", "11.0.0.1"));
    assert_true(contains("::ffff:0.0.0.0/96", "1.2.3.4"));
}

static void test_ranges_refuse(void **state) {
    (void)state;
    static const char *const CASES[] = {"",
                                        "10.0.0.0/",
                                        "10.0.0.0/33",
                                        "10.0.0.0/-1",
                                        "10.0.0.0/8x",
                                        "10.0.0.0/ 8",
                                        "::1/129",
                                        "localhost",
                                        "::ffff:10.0.0.0/95",
                                        "::ffff:10.0.0.0/8",
                                        "::ffff:10.0.0.0/129"};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char text[64];
        char *items[] = {text};
        struct config_strings texts = {items, 1, true};
        struct address_ranges ranges;
        strcpy(text, CASES[i]);
        assert_false(address_ranges_parse(&texts, &ranges));
        assert_int_equal(ranges.count, 0);
    }
}

static void test_behind_proxies(void **state) {
    (void)state;
    char *items[] = {"10.0.0.0/8", "fd00::/8"};
    struct config_strings texts = {items, 2, true};
    struct address_ranges trusted;
    static const struct {
        const char *peer, *forwarded, *expected;
    } CASES[] = {
        {"203.0.113.1", "198.51.100.1", "203.0.113.1"}, /* who is not trusted says nothing */
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1", "198.51.100.1"},
        {"10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"}, /* what the client itself wrote */
        {"10.0.0.1", "1.1.1.1, 198.51.100.1, 10.9.9.9", "198.51.100.1"},
        {"10.0.0.1", " 198.51.100.1 ,\t10.9.9.9", "198.51.100.1"},
        {"10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"}, /* all of them are ours */
        {"10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1,", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
        {"10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"},
        {"10.0.0.1", "[2001:db8::1]", "2001:db8::1"},
        {"10.0.0.1", "[2001:db8::1", "10.0.0.1"},
        {"fd00::1", "2001:db8::1", "2001:db8::1"},
        {"::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"},
    };
    assert_true(address_ranges_parse(&texts, &trusted));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct address a =
            address_behind_proxies(&trusted, parsed(CASES[i].peer), str_of(CASES[i].forwarded));
        assert_text(&a, CASES[i].expected);
    }
    address_ranges_fini(&trusted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_format), cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_sockaddr),         cmocka_unit_test(test_limit_key_of_ipv6_is_a_64),
        cmocka_unit_test(test_ranges),           cmocka_unit_test(test_ranges_refuse),
        cmocka_unit_test(test_behind_proxies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
