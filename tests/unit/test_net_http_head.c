/* The head of a request: where it ends, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/net/http_head.h"

/* However the bytes are cut, the end is found at the same place. */
static void assert_end(const char *text, enum http_head_state expected, size_t at) {
    size_t len = strlen(text);
    for (size_t step = 1; step <= len; step++) {
        struct http_head_scan scan = {0};
        enum http_head_state state = HTTP_HEAD_MORE;
        for (size_t have = 0; state == HTTP_HEAD_MORE && have < len;) {
            have = have + step < len ? have + step : len;
            state = http_head_scan(&scan, (struct str){text, have});
        }
        assert_int_equal(state, expected);
        assert_int_equal(scan.at, at);
    }
}

static void test_end(void **state) {
    (void)state;
    assert_end("GET / HTTP/1.1\r\n\r\n", HTTP_HEAD_WHOLE, 18);
    assert_end("GET / HTTP/1.1\r\nA: b\r\n\r\nbehind\r\n\r\n", HTTP_HEAD_WHOLE, 24);
    assert_end("GET / HTTP/1.1\n\nbehind", HTTP_HEAD_WHOLE, 16);
    assert_end("\r\n\nGET / HTTP/1.1\r\n\r\n", HTTP_HEAD_WHOLE, 21);
    assert_end("GET / HTTP/1.1\r\nA: b\r\n", HTTP_HEAD_MORE, 22);
    assert_end("\r\n\r\n", HTTP_HEAD_MORE, 4);
    assert_end("\x16\x03\x01", HTTP_HEAD_BAD, 1);
    assert_end("GET / HTTP/1.1\rA: b\r\n\r\n", HTTP_HEAD_BAD, 16);
    assert_end("GET / HTTP/1.1\r\r\n", HTTP_HEAD_BAD, 16);
    assert_end("GET / HTTP/1.1\r\nA: \x7f\r\n\r\n", HTTP_HEAD_BAD, 20);
    struct http_head_scan scan = {0};
    assert_int_equal(http_head_scan(&scan, (struct str){"GET\0", 4}), HTTP_HEAD_BAD);
}

static bool parse(const char *text, struct http_head *head) {
    return http_head_parse(str_of(text), head);
}

static void test_parts(void **state) {
    (void)state;
    struct http_head head;
    assert_true(parse("\r\nGET /a%20b?x=y?z HTTP/1.1\r\nHost:  h \r\nA:\r\n\r\n", &head));
    assert_true(str_eqz(head.method, "GET"));
    assert_true(str_eqz(head.path, "/a%20b"));
    assert_true(str_eqz(head.query, "x=y?z"));
    assert_true(str_eqz(head.version, "HTTP/1.1"));
    assert_true(str_eqz(http_head_first(&head, "HOST"), "h"));
    assert_int_equal(http_head_count(&head, "a"), 1);
    assert_true(str_eqz(http_head_first(&head, "a"), ""));
    assert_int_equal(http_head_count(&head, "b"), 0);
    assert_true(parse("GET http://h:1/p HTTP/1.0\n\n", &head));
    assert_true(str_eqz(head.path, "/p"));
    assert_true(parse("GET HTTPS://h/p?q HTTP/1.0\n\n", &head));
    assert_true(str_eqz(head.path, "/p") && str_eqz(head.query, "q"));
}

static void test_bad_heads(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "GET / HTTP/1.1",
        "GET /\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "GET / HTTP/11\r\n\r\n",
        " GET / HTTP/1.1\r\n\r\n",
        "G(T / HTTP/1.1\r\n\r\n",
        "GET x HTTP/1.1\r\n\r\n",
        "GET * HTTP/1.1\r\n\r\n",
        "GET ?x HTTP/1.1\r\n\r\n",
        "GET http://h HTTP/1.1\r\n\r\n",
        "GET http:// HTTP/1.1\r\n\r\n",
        "GET http://h?x=/p HTTP/1.1\r\n\r\n",
        "GET /\t HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nA\r\n\r\n",
        "GET / HTTP/1.1\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n folded: c\r\n\r\n",
        "GET / HTTP/1.1\r\n folded: c\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n\tfolded\r\n\r\n",
    };
    struct http_head head;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        assert_false(parse(BAD[i], &head));
    }
}

static void test_lists(void **state) {
    (void)state;
    struct http_head head;
    struct str rest, value;
    assert_true(parse("GET / HTTP/1.1\r\nL: a, b\r\nX: c\r\nl: ,D ,\r\nX-Long: e\r\n\r\n", &head));
    assert_true(http_head_lists(&head, "L", "a"));
    assert_true(http_head_lists(&head, "L", "B"));
    assert_true(http_head_lists(&head, "L", "d"));
    assert_false(http_head_lists(&head, "L", "c"));
    assert_false(http_head_lists(&head, "L", "a, b"));
    assert_int_equal(http_head_count(&head, "l"), 2);
    rest = head.fields;
    assert_true(http_head_next(&rest, "L", &value) && str_eqz(value, "a, b"));
    assert_true(http_head_next(&rest, "L", &value) && str_eqz(value, ",D ,"));
    assert_false(http_head_next(&rest, "L", &value));
    /* A name is no beginning of another. */
    assert_true(str_eqz(http_head_first(&head, "X"), "c"));
    assert_true(str_eqz(http_head_first(&head, "X-Long"), "e"));
}

static void test_url_decode(void **state) {
    (void)state;
    char out[8];
    assert_true(http_url_decode(str_of("a%2Fb%c3"), false, out, sizeof out));
    assert_string_equal(out, "a/b\xc3");
    assert_true(http_url_decode(str_of("a+b"), false, out, sizeof out));
    assert_string_equal(out, "a+b");
    assert_true(http_url_decode(str_of("a+%2B"), true, out, sizeof out));
    assert_string_equal(out, "a +");
    assert_true(http_url_decode(str_of("1234567"), false, out, sizeof out));
    assert_false(http_url_decode(str_of("12345678"), false, out, sizeof out));
    assert_false(http_url_decode(str_of("%"), false, out, sizeof out));
    assert_false(http_url_decode(str_of("%2"), false, out, sizeof out));
    assert_false(http_url_decode(str_of("%2g"), false, out, sizeof out));
    assert_false(http_url_decode(str_of("%00"), false, out, sizeof out));
    assert_true(http_url_decode(str_of(""), false, out, sizeof out));
    assert_string_equal(out, "");
}

static struct http_head head_of(const char *text) {
    struct http_head head;
    assert_true(http_head_parse(str_of(text), &head));
    return head;
}

static void test_what_follows(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool persists, has_body;
    } CASES[] = {
        {"GET / HTTP/1.1\r\n\r\n", true, false},
        {"GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n", true, false},
        {"GET / HTTP/1.1\r\nConnection: closed\r\nX: close\r\n\r\n", true, false},
        {"GET / HTTP/1.1\r\nConnection: CLOSE\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nConnection: a\r\nConnection: keep-alive , close\r\n\r\n", false, false},
        {"GET / HTTP/1.0\r\n\r\n", false, false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nContent-Length: 00\r\n\r\n", true, false},
        {"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 2\r\n\r\n", true, true},
        {"GET / HTTP/1.1\r\nContent-Length: +0\r\n\r\n", true, true},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct http_head head = head_of(CASES[i].text);
        assert_int_equal(http_head_persists(&head), CASES[i].persists);
        assert_int_equal(http_head_has_body(&head), CASES[i].has_body);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end),        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_bad_heads),  cmocka_unit_test(test_lists),
        cmocka_unit_test(test_url_decode), cmocka_unit_test(test_what_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
