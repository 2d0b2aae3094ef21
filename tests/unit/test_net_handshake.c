/* Which handshakes pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/net/handshake.h"

static char *origins[] = {"https://editor.example.org", "https://other.example.org:8443"};
static struct config config = {
    .paths.native = "/ws",
    .allowed_origins = {origins, 2, true},
};

#define LINE "GET /ws HTTP/1.1"

static const char *const GOOD[][2] = {
    {"Host", "localhost"},
    {"Upgrade", "websocket"},
    {"Connection", "Upgrade"},
    {"Sec-WebSocket-Version", "13"},
    {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, /* of RFC 6455 §1.3 */
    {"Sec-WebSocket-Protocol", "wslock.v1"},
};

/* A head whose field `name` has another value, or none if that is NULL; more: whole lines. */
static struct http_head read_head(struct buf *text, const char *line, const char *name,
                                  const char *value, const char *more) {
    struct http_head head;
    bool known = name == NULL;
    buf_printf(text, "%s\r\n", line);
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        bool other = name != NULL && strcmp(GOOD[i][0], name) == 0;
        known = known || other;
        if (!other) {
            buf_printf(text, "%s: %s\r\n", GOOD[i][0], GOOD[i][1]);
        } else if (value != NULL) {
            buf_printf(text, "%s: %s\r\n", name, value);
        }
    }
    if (!known) {
        buf_printf(text, "%s: %s\r\n", name, value);
    }
    buf_printf(text, "%s\r\n", more);
    assert_true(http_head_parse((struct str){text->data, text->len}, &head));
    return head;
}

static enum handshake_verdict check(const char *line, const char *name, const char *value,
                                    const char *more) {
    struct buf text;
    buf_init(&text);
    struct http_head head = read_head(&text, line, name, value, more);
    enum handshake_verdict verdict = handshake_check(&config, &head, head.path);
    buf_fini(&text);
    return verdict;
}

#define ASSERT_FIELD(expected, name, value)                                                        \
    assert_int_equal(check(LINE, name, value, ""), HANDSHAKE_##expected)
#define ASSERT_LINE(expected, line)                                                                \
    assert_int_equal(check(line, NULL, NULL, ""), HANDSHAKE_##expected)
#define ASSERT_MORE(expected, more)                                                                \
    assert_int_equal(check(LINE, NULL, NULL, more), HANDSHAKE_##expected)

static void test_good(void **state) {
    (void)state;
    ASSERT_LINE(OK, LINE);
    ASSERT_FIELD(OK, "Upgrade", "WebSocket");
    ASSERT_FIELD(OK, "Upgrade", "h2c, websocket");
    ASSERT_FIELD(OK, "Connection", "keep-alive , UPGRADE");
    ASSERT_MORE(OK, "connection: keep-alive\r\nupgrade: foo\r\n");
}

static void test_request_line(void **state) {
    (void)state;
    ASSERT_LINE(NO_SUCH_PATH, "GET / HTTP/1.1");
    ASSERT_LINE(NO_SUCH_PATH, "GET /WS HTTP/1.1");
    ASSERT_LINE(NO_SUCH_PATH, "GET /ws/ HTTP/1.1");
    ASSERT_LINE(OK, "GET /ws?a=b HTTP/1.1");
    ASSERT_LINE(OK, "GET http://localhost/ws HTTP/1.1");
    ASSERT_LINE(METHOD, "POST /ws HTTP/1.1");
    ASSERT_LINE(METHOD, "get /ws HTTP/1.1");
    ASSERT_LINE(HTTP_VERSION, "GET /ws HTTP/1.0");
    ASSERT_LINE(HTTP_VERSION, "GET /ws HTTP/2.0");
    ASSERT_FIELD(HOST, "Host", NULL);
    ASSERT_FIELD(HOST, "Host", "");
    ASSERT_MORE(HOST, "Host: other\r\n");
    ASSERT_LINE(HTTP_VERSION, "GET /other HTTP/2.0");
    assert_int_equal(check("GET /other HTTP/1.1", "Host", NULL, ""), HANDSHAKE_HOST);
}

static void test_upgrade_and_connection(void **state) {
    (void)state;
    char long_list[4000] = "";
    memset(long_list, 'x', sizeof long_list - 1);
    memcpy(long_list + sizeof long_list - 9, ",upgrade", 8);
    ASSERT_FIELD(UPGRADE, "Upgrade", "h2c");
    ASSERT_FIELD(UPGRADE, "Upgrade", "websocket2");
    ASSERT_FIELD(UPGRADE, "Upgrade", NULL);
    ASSERT_FIELD(CONNECTION, "Connection", NULL);
    ASSERT_FIELD(CONNECTION, "Connection", "close");
    ASSERT_FIELD(CONNECTION, "Connection", "upgraded, up grade");
    ASSERT_FIELD(OK, "Connection", long_list);
}

static void test_version_and_key(void **state) {
    (void)state;
    ASSERT_FIELD(WS_VERSION, "Sec-WebSocket-Version", NULL);
    ASSERT_FIELD(WS_VERSION, "Sec-WebSocket-Version", "8");
    ASSERT_FIELD(WS_VERSION, "Sec-WebSocket-Version", "13, 8");
    ASSERT_FIELD(WS_VERSION, "Sec-WebSocket-Version", "013");
    ASSERT_MORE(WS_VERSION, "Sec-WebSocket-Version: 13\r\n");
    ASSERT_FIELD(KEY, "Sec-WebSocket-Key", NULL);
    ASSERT_FIELD(KEY, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=");
    ASSERT_FIELD(KEY, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ===");
    ASSERT_FIELD(KEY, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZR==");
    ASSERT_FIELD(KEY, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWE=");
    ASSERT_FIELD(KEY, "Sec-WebSocket-Key", "dGhlIHNhbXBsZ-Bub25jZQ==");
    ASSERT_MORE(KEY, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
}

static void test_accept(void **state) {
    (void)state;
    char accept[HANDSHAKE_ACCEPT_BYTES];
    handshake_accept(str_of("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void test_bodies(void **state) {
    (void)state;
    ASSERT_MORE(OK, "Content-Length: 0\r\n");
    ASSERT_MORE(OK, "Content-Length: 00\r\nContent-Length: 0\r\n");
    ASSERT_MORE(BODY, "Content-Length: 1\r\n");
    ASSERT_MORE(BODY, "Content-Length: 0\r\nContent-Length: 10\r\n");
    ASSERT_MORE(BODY, "Content-Length: 0, 5\r\n");
    ASSERT_MORE(BODY, "Content-Length:\r\n");
    ASSERT_MORE(BODY, "Content-Length: -0\r\n");
    ASSERT_MORE(BODY, "Transfer-Encoding: chunked\r\n");
    ASSERT_MORE(BODY, "Transfer-Encoding: identity\r\nContent-Length: 0\r\n");
}

static void test_protocols(void **state) {
    (void)state;
    static const char NAME[] = "Sec-WebSocket-Protocol";
    char long_list[8000] = "";
    memset(long_list, 'x', sizeof long_list - 1);
    memcpy(long_list + sizeof long_list - 11, ",wslock.v1", 10);
    ASSERT_FIELD(OK, NAME, "a, wslock.v1 ,b");
    ASSERT_FIELD(OK, NAME, "!#$%&'*+-.^_`|~09azAZ,wslock.v1");
    ASSERT_FIELD(OK, NAME, "wslock.v1,,x");
    ASSERT_FIELD(OK, NAME, "wslock.v1, wslock.v1");
    ASSERT_FIELD(OK, NAME, long_list);
    ASSERT_MORE(OK, "Sec-WebSocket-Protocol: other\r\n");
    ASSERT_FIELD(PROTOCOL, NAME, NULL);
    ASSERT_FIELD(PROTOCOL, NAME, "");
    ASSERT_FIELD(PROTOCOL, NAME, "wslock");
    ASSERT_FIELD(PROTOCOL, NAME, "WSLOCK.V1");
    ASSERT_FIELD(PROTOCOL, NAME, "wslock.v1, \"x\"");
    ASSERT_FIELD(PROTOCOL, NAME, "wslock.v1, a b");
}

static enum handshake_verdict with_origin(const char *origin) {
    return check(LINE, "Origin", origin, "");
}

static void test_origins(void **state) {
    (void)state;
    static const char EDITOR[] = "https://editor.example.org";
    assert_int_equal(with_origin(EDITOR), HANDSHAKE_OK);
    assert_int_equal(with_origin("https://other.example.org:8443"), HANDSHAKE_OK);
    assert_int_equal(with_origin("https://other.example.org"), HANDSHAKE_ORIGIN);
    assert_int_equal(with_origin("http://editor.example.org"), HANDSHAKE_ORIGIN);
    assert_int_equal(with_origin("https://editor.example.org/"), HANDSHAKE_ORIGIN);
    assert_int_equal(with_origin("*"), HANDSHAKE_ORIGIN);
    assert_int_equal(with_origin("null"), HANDSHAKE_ORIGIN);
    assert_int_equal(with_origin(""), HANDSHAKE_ORIGIN);
    assert_int_equal(check(LINE, "Origin", EDITOR, "Origin: https://editor.example.org\r\n"),
                     HANDSHAKE_ORIGIN);
    origins[1] = "null";
    assert_int_equal(with_origin("null"), HANDSHAKE_OK);
    assert_int_equal(with_origin("file://"), HANDSHAKE_ORIGIN);
    origins[1] = "file://";
    assert_int_equal(with_origin("file://"), HANDSHAKE_OK);
    origins[1] = "*";
    assert_int_equal(with_origin("null"), HANDSHAKE_OK);
    assert_int_equal(with_origin(""), HANDSHAKE_OK);
    origins[1] = "https://other.example.org:8443";
}

static void assert_shown(const char *origin, const char *expected) {
    struct buf text;
    char shown[HANDSHAKE_ORIGIN_TEXT];
    buf_init(&text);
    struct http_head head = read_head(&text, LINE, "Origin", origin, "");
    handshake_origin_text(&head, shown);
    assert_string_equal(shown, expected);
    buf_fini(&text);
}

static void test_origin_is_shown(void **state) {
    (void)state;
    char origin[HANDSHAKE_ORIGIN_SHOWN + 2] = "", expected[HANDSHAKE_ORIGIN_TEXT] = "";
    assert_shown("https://evil.example", "https://evil.example");
    assert_shown("", "");
    assert_shown("a b\t\xc3\xa9\xff", "a\\x20b\\x09\\xc3\\xa9\\xff");
    memset(origin, 'x', HANDSHAKE_ORIGIN_SHOWN);
    assert_shown(origin, origin);
    memcpy(expected, origin, HANDSHAKE_ORIGIN_SHOWN);
    memcpy(expected + HANDSHAKE_ORIGIN_SHOWN, "...", 4);
    origin[HANDSHAKE_ORIGIN_SHOWN] = 'y';
    assert_shown(origin, expected);
    memset(origin, '\xff', HANDSHAKE_ORIGIN_SHOWN + 1);
    for (size_t i = 0; i < HANDSHAKE_ORIGIN_SHOWN; i++) {
        memcpy(expected + 4 * i, "\\xff", 4);
    }
    memcpy(expected + (size_t)4 * HANDSHAKE_ORIGIN_SHOWN, "...", 4);
    assert_shown(origin, expected);
}

static void assert_bearer(const char *header, const char *expected) {
    struct str token = {NULL, 0};
    assert_int_equal(handshake_bearer(str_of(header), &token), expected != NULL);
    if (expected != NULL) {
        assert_true(str_eqz(token, expected));
    }
}

static void test_bearer(void **state) {
    (void)state;
    assert_bearer("Bearer abc", "abc");
    assert_bearer("bearer   abc ", "abc");
    assert_bearer("Basic abc", NULL);
    assert_bearer("Bearerabc", NULL);
    assert_bearer("Bearer", "");
    assert_bearer(" Bearer\t", "");
    assert_bearer("Bearer\tabc", "abc");
    assert_bearer("Beare", NULL);
    assert_bearer("", NULL);
}

static void assert_cookies(const char *header, const char *first, const char *second) {
    struct str rest = str_of(header), value = {NULL, 0};
    const char *const expected[] = {first, second, NULL};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(handshake_next_cookie(&rest, "tok", &value), expected[i] != NULL);
        if (expected[i] == NULL) {
            return;
        }
        assert_true(str_eqz(value, expected[i]));
    }
}

static void test_cookies(void **state) {
    (void)state;
    assert_cookies("tok=abc", "abc", NULL);
    assert_cookies("a=b; tok=abc; c=d", "abc", NULL);
    assert_cookies("a=b;tok=abc", "abc", NULL);
    assert_cookies("tok=\"abc\"", "abc", NULL);
    assert_cookies("tok=a=b", "a=b", NULL);
    assert_cookies("tok=", "", NULL);
    assert_cookies("tok=first; tok=second", "first", "second");
    assert_cookies("tok=first; x=y;tok=\"second\";", "first", "second");
    assert_cookies("xtok=abc; tokx=abc; TOK=abc", NULL, NULL);
    assert_cookies("tok", NULL, NULL);
    assert_cookies("", NULL, NULL);
}

static void test_refusals_are_complete(void **state) {
    (void)state;
    for (int i = HANDSHAKE_OK + 1; i <= HANDSHAKE_TOKEN_EXPIRED; i++) {
        const struct handshake_refusal *r = handshake_refusal((enum handshake_verdict)i);
        assert_true(r->status >= 400 && r->status < 600);
        assert_non_null(r->code);
        assert_non_null(r->label);
        assert_non_null(r->message);
    }
}

/* Of another path: the same, but for the path and the subprotocol. */
static void test_without_subprotocol(void **state) {
    static const struct {
        const char *name, *value;
        enum handshake_verdict verdict;
    } CASES[] = {
        {"Sec-WebSocket-Protocol", NULL, HANDSHAKE_OK},
        {"Sec-WebSocket-Protocol", "other", HANDSHAKE_OK},
        {"Sec-WebSocket-Version", "8", HANDSHAKE_WS_VERSION},
        {"Sec-WebSocket-Key", "short", HANDSHAKE_KEY},
        {"Connection", "close", HANDSHAKE_CONNECTION},
        {"Host", NULL, HANDSHAKE_HOST},
        {"Origin", "https://editor.example.org", HANDSHAKE_OK},
        {"Origin", "https://evil.example.org", HANDSHAKE_ORIGIN},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct buf text;
        buf_init(&text);
        struct http_head head =
            read_head(&text, "GET /socket.io/ HTTP/1.1", CASES[i].name, CASES[i].value, "");
        assert_int_equal(handshake_check_websocket(&config, &head), CASES[i].verdict);
        buf_fini(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_subprotocol),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_request_line),
        cmocka_unit_test(test_upgrade_and_connection),
        cmocka_unit_test(test_version_and_key),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_origin_is_shown),
        cmocka_unit_test(test_bearer),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_refusals_are_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
