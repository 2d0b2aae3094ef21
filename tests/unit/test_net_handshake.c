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

static struct handshake_request good(void) {
    return (struct handshake_request){
        .is_get = true,
        .path = str_of("/ws"),
        .http_version = str_of("HTTP/1.1"),
        .host = str_of("localhost"),
        .upgrade = str_of("websocket"),
        .connection = str_of("Upgrade"),
        .ws_version = str_of("13"),
        .key = str_of("dGhlIHNhbXBsZSBub25jZQ=="), /* of RFC 6455 §1.3 */
        .protocols = str_of("wslock.v1"),
    };
}

#define ASSERT_VERDICT(expected, field, text)                                                      \
    do {                                                                                           \
        struct handshake_request r_ = good();                                                      \
        r_.field = str_of(text);                                                                   \
        assert_int_equal(handshake_check(&config, &r_), expected);                                 \
    } while (0)

static void test_good(void **state) {
    (void)state;
    struct handshake_request r = good();
    assert_int_equal(handshake_check(&config, &r), HANDSHAKE_OK);
    ASSERT_VERDICT(HANDSHAKE_OK, upgrade, "WebSocket");
    ASSERT_VERDICT(HANDSHAKE_OK, connection, "keep-alive , UPGRADE");
    ASSERT_VERDICT(HANDSHAKE_OK, protocols, "a, wslock.v1 ,b");
}

static void test_request_line(void **state) {
    (void)state;
    ASSERT_VERDICT(HANDSHAKE_NO_SUCH_PATH, path, "/");
    ASSERT_VERDICT(HANDSHAKE_NO_SUCH_PATH, path, "/WS");
    ASSERT_VERDICT(HANDSHAKE_NO_SUCH_PATH, path, "");
    ASSERT_VERDICT(HANDSHAKE_HTTP_VERSION, http_version, "HTTP/1.0");
    ASSERT_VERDICT(HANDSHAKE_HTTP_VERSION, http_version, "HTTP/1.10");
    ASSERT_VERDICT(HANDSHAKE_HOST, host, "");
    struct handshake_request r = good();
    r.is_get = false;
    assert_int_equal(handshake_check(&config, &r), HANDSHAKE_METHOD);
}

static void test_upgrade_and_connection(void **state) {
    (void)state;
    char long_list[200] = "upgrade,";
    memset(long_list + 8, 'x', sizeof long_list - 9);
    ASSERT_VERDICT(HANDSHAKE_UPGRADE, upgrade, "h2c");
    ASSERT_VERDICT(HANDSHAKE_UPGRADE, upgrade, "websocket2");
    ASSERT_VERDICT(HANDSHAKE_UPGRADE, upgrade, "");
    ASSERT_VERDICT(HANDSHAKE_CONNECTION, connection, "");
    ASSERT_VERDICT(HANDSHAKE_CONNECTION, connection, "close");
    ASSERT_VERDICT(HANDSHAKE_CONNECTION, connection, "upgraded, up grade");
    ASSERT_VERDICT(HANDSHAKE_CONNECTION, connection, long_list);
}

static void test_version_and_key(void **state) {
    (void)state;
    ASSERT_VERDICT(HANDSHAKE_WS_VERSION, ws_version, "");
    ASSERT_VERDICT(HANDSHAKE_WS_VERSION, ws_version, "8");
    ASSERT_VERDICT(HANDSHAKE_WS_VERSION, ws_version, "13, 8");
    ASSERT_VERDICT(HANDSHAKE_WS_VERSION, ws_version, "013");
    ASSERT_VERDICT(HANDSHAKE_KEY, key, "");
    ASSERT_VERDICT(HANDSHAKE_KEY, key, "dGhlIHNhbXBsZSBub25jZQ=");
    ASSERT_VERDICT(HANDSHAKE_KEY, key, "dGhlIHNhbXBsZSBub25jZQ===");
    ASSERT_VERDICT(HANDSHAKE_KEY, key, "dGhlIHNhbXBsZSBub25jZR==");
    ASSERT_VERDICT(HANDSHAKE_KEY, key, "dGhlIHNhbXBsZSBub25jZWE=");
    ASSERT_VERDICT(HANDSHAKE_KEY, key, "dGhlIHNhbXBsZ-Bub25jZQ==");
}

static void test_protocols(void **state) {
    (void)state;
    char long_list[200] = "wslock.v1,";
    memset(long_list + 10, 'x', sizeof long_list - 11);
    ASSERT_VERDICT(HANDSHAKE_PROTOCOL, protocols, "");
    ASSERT_VERDICT(HANDSHAKE_PROTOCOL, protocols, "wslock");
    ASSERT_VERDICT(HANDSHAKE_PROTOCOL, protocols, "WSLOCK.V1");
    ASSERT_VERDICT(HANDSHAKE_PROTOCOL, protocols, "wslock.v1,,x");
    ASSERT_VERDICT(HANDSHAKE_PROTOCOL, protocols, "wslock.v1, \"x\"");
    ASSERT_VERDICT(HANDSHAKE_PROTOCOL, protocols, long_list);
}

static enum handshake_verdict with_origin(const char *origin) {
    struct handshake_request r = good();
    r.has_origin = true;
    r.origin = str_of(origin);
    return handshake_check(&config, &r);
}

static void test_origins(void **state) {
    (void)state;
    assert_int_equal(with_origin("https://editor.example.org"), HANDSHAKE_OK);
    assert_int_equal(with_origin("https://other.example.org:8443"), HANDSHAKE_OK);
    assert_int_equal(with_origin("https://other.example.org"), HANDSHAKE_ORIGIN);
    assert_int_equal(with_origin("http://editor.example.org"), HANDSHAKE_ORIGIN);
    assert_int_equal(with_origin("https://editor.example.org/"), HANDSHAKE_ORIGIN);
    assert_int_equal(with_origin("*"), HANDSHAKE_ORIGIN);
    assert_int_equal(with_origin("null"), HANDSHAKE_ORIGIN);
    assert_int_equal(with_origin(""), HANDSHAKE_ORIGIN);
    origins[1] = "*";
    assert_int_equal(with_origin("null"), HANDSHAKE_OK);
    origins[1] = "https://other.example.org:8443";
}

static void assert_bearer(const char *header, const char *expected) {
    struct str token = {NULL, 0};
    assert_int_equal(handshake_bearer(str_of(header), &token), expected != NULL);
    if (expected != NULL)
        assert_true(str_eqz(token, expected));
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

static void assert_cookie(const char *header, const char *expected) {
    struct str value = {NULL, 0};
    assert_int_equal(handshake_cookie(str_of(header), "tok", &value), expected != NULL);
    if (expected != NULL)
        assert_true(str_eqz(value, expected));
}

static void test_cookie(void **state) {
    (void)state;
    assert_cookie("tok=abc", "abc");
    assert_cookie("a=b; tok=abc; c=d", "abc");
    assert_cookie("a=b;tok=abc", "abc");
    assert_cookie("tok=\"abc\"", "abc");
    assert_cookie("tok=a=b", "a=b");
    assert_cookie("tok=", "");
    assert_cookie("tok=first; tok=second", "first");
    assert_cookie("xtok=abc; tokx=abc; TOK=abc", NULL);
    assert_cookie("tok", NULL);
    assert_cookie("", NULL);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_request_line),
        cmocka_unit_test(test_upgrade_and_connection),
        cmocka_unit_test(test_version_and_key),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_bearer),
        cmocka_unit_test(test_cookie),
        cmocka_unit_test(test_refusals_are_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
