#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <time.h>

#include "seeded.h"
#include "wire_cases.h"
#include "wslock/base/buf.h"
#include "wslock/base/macros.h"
#include "wslock/wire/request.h"

static void set_str(json_t *object, const char *key, struct str value) {
    json_object_set_new(object, key, json_stringn(value.p, value.len));
}

static void set_ref(json_t *object, const struct wire_ref *ref) {
    if (ref->len > 0) {
        json_t *id = json_loadb(ref->json, ref->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(id);
        json_object_set_new(object, "id", id);
    }
}

/* What is not at its default, so that a case says all that the message means and nothing else. */
static json_t *describe_request(const struct wire_request *r) {
    static const char *const presences[] = {
        [WIRE_PRESENCE_DIFF] = "diff",
        [WIRE_PRESENCE_FULL] = "full",
        [WIRE_PRESENCE_NONE] = "none",
    };
    json_t *object = json_object();

    json_object_set_new(object, "kind", json_string(wire_request_name(r->kind)));
    set_ref(object, &r->ref);
    if (r->resource.len > 0) {
        set_str(object, "resource", wire_resource_str(&r->resource));
    }
    if (r->auth_token.p != NULL) {
        set_str(object, "authToken", r->auth_token);
    }
    if (r->client_id.len > 0) {
        set_str(object, "clientId", r->client_id);
    }
    if (r->page_id.len > 0) {
        set_str(object, "pageId", r->page_id);
    }
    if (r->editor) {
        json_object_set_new(object, "editor", json_true());
    }
    if (r->presence != WIRE_PRESENCE_DIFF) {
        json_object_set_new(object, "presence", json_string(presences[r->presence]));
    }
    if (r->token != 0) {
        json_object_set_new(object, "token", json_integer(r->token));
    }
    if (!r->active) {
        json_object_set_new(object, "active", json_false());
    }
    if (r->dirty >= 0) {
        json_object_set_new(object, "dirty", json_boolean(r->dirty));
    }
    if (r->take_own) {
        json_object_set_new(object, "takeOwn", json_true());
    }
    if (r->revision.p != NULL) {
        set_str(object, "revision", r->revision);
    }
    return object;
}

static json_t *describe_error(const struct wire_decode_error *e) {
    json_t *object = json_object();

    assert_non_null(e->message);
    json_object_set_new(object, "error", json_string(wire_error_name(e->code)));
    set_ref(object, &e->ref);
    if (e->field != NULL) {
        json_object_set_new(object, "field", json_string(e->field));
    }
    if (e->event[0] != '\0') {
        json_object_set_new(object, "event", json_string(e->event));
    }
    if (e->resource.len > 0) {
        set_str(object, "resource", wire_resource_str(&e->resource));
    }
    return object;
}

static void check_request(const struct wire_case *c, void *ctx) {
    const struct wire_decode_options *options = ctx;
    struct wire_request r;
    struct wire_decode_error e;
    json_error_t where;
    json_t *expected = json_loadb(c->expected.p, c->expected.len, JSON_ALLOW_NUL, &where);
    json_t *got;

    if (expected == NULL) {
        fail_msg("%s:%d: expectation is no JSON: %s", c->file, c->line, where.text);
    }
    if (wire_decode_native(c->input.p, c->input.len, options, &r, &e)) {
        got = describe_request(&r);
        wire_request_fini(&r);
    } else {
        got = describe_error(&e);
    }
    if (!json_equal(got, expected)) {
        fail_msg("%s:%d: got %s", c->file, c->line, json_dumps(got, JSON_SORT_KEYS));
    }
    json_decref(got);
    json_decref(expected);
}

static void test_requests(void **state) {
    struct wire_decode_options options = {.reject_two_parts = false};
    (void)state;
    assert_true(wire_cases_run("requests", check_request, &options) > 30);
}

static void test_frames(void **state) {
    struct wire_decode_options options = {.reject_two_parts = false};
    (void)state;
    assert_true(wire_cases_run("frames", check_request, &options) > 30);
}

static void test_errors(void **state) {
    struct wire_decode_options options = {.reject_two_parts = false};
    (void)state;
    assert_true(wire_cases_run("errors", check_request, &options) > 30);
}

static void test_two_parts_rejected(void **state) {
    struct wire_decode_options options = {.reject_two_parts = true};
    (void)state;
    assert_true(wire_cases_run("requests-reject", check_request, &options) > 1);
}

/* The worst that an id may be escaped to fits the ref. */
static void test_ref_worst_case(void **state) {
    struct wire_decode_options options = {.reject_two_parts = false};
    struct wire_request r;
    struct wire_decode_error e;
    struct buf text;

    (void)state;
    buf_init(&text);
    buf_append_str(&text,
                   "{\"event\":\"lock:status\",\"data\":{\"resourceId\":\"a:b:c\"},\"id\":\"");
    for (int i = 0; i < 64; i++) {
        buf_append_str(&text, "\\u0001");
    }
    buf_append_str(&text, "\"}");
    assert_true(wire_decode_native(text.data, text.len, &options, &r, &e));
    assert_int_equal(r.ref.len, 64 * 6 + 2);
    wire_request_fini(&r);
    buf_fini(&text);
}

/* Every prefix of a good message is refused without a crash. */
static void test_truncated(void **state) {
    static const char text[] = "{\"event\":\"resource:join\",\"id\":\"\\ud83d\\ude00\",\"data\":"
                               "{\"resourceId\":\"document:1\",\"mode\":\"editor\",\"token\":17}}";
    struct wire_decode_options options = {.reject_two_parts = false};
    struct wire_request r;
    struct wire_decode_error e;

    (void)state;
    for (size_t len = 0; len + 1 < sizeof(text); len++) {
        char *copy =
            malloc(len + 1); /* exactly as long, so that a sanitizer sees a read behind it */
        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_false(wire_decode_native(copy, len, &options, &r, &e));
        assert_int_equal(e.code, WIRE_ERR_INVALID_MESSAGE);
        free(copy);
    }
    assert_true(wire_decode_native(text, sizeof(text) - 1, &options, &r, &e));
    wire_request_fini(&r);
}

static json_t *describe(struct str text) {
    struct wire_decode_options options = {.reject_two_parts = false};
    struct wire_request r;
    struct wire_decode_error e;
    json_t *got;

    if (!wire_decode_native(text.p, text.len, &options, &r, &e)) {
        return describe_error(&e);
    }
    got = describe_request(&r);
    wire_request_fini(&r);
    return got;
}

static void edit(struct seeded *seed, struct buf *text) {
    static const char *const pieces[] = {
        " ",    "\n",   "\"", "\\",       "\\u0041", "1",    "0",         "-",       ".5",
        "e3",   ",",    ":",  "{",        "}",       "[",    "]",         "e",       "id",
        "null", "true", "x",  "\xc3\xa9", "\"id\":", "\x7f", "\"data\":", ",\"a\":1"};
    const char *piece = pieces[seeded_below(seed, ARRAY_LEN(pieces))];
    size_t at = seeded_below(seed, text->len), gone = seeded_below(seed, 3);

    while (gone > 0 && ((unsigned char)text->data[at] >= 0x80 || at + gone > text->len ||
                        (at + gone < text->len && (unsigned char)text->data[at + gone] >= 0x80))) {
        gone--;
    }
    if ((unsigned char)text->data[at] >= 0x80) {
        return;
    }
    struct buf edited;
    buf_init(&edited);
    buf_append(&edited, text->data, at);
    buf_append_str(&edited, piece);
    buf_append(&edited, text->data + at + gone, text->len - at - gone);
    buf_fini(text);
    *text = edited;
}

/* A message that is read in one pass means the same as to the reader of all JSON, which gets it
 * where there is a field that no message has. */
static void test_both_readers(void **state) {
    static const char *const messages[] = {
        "{\"event\":\"resource:join\",\"id\":\"c-1\",\"data\":{\"resourceId\":\"a:b:c\",\"mode\":"
        "\"editor\",\"clientId\":\"Zk3x9QmT7bLw2RfY\",\"token\":17,\"presence\":\"none\"}}",
        "{\"id\":7,\"event\":\"lock:heartbeat\",\"data\":{\"resourceId\":\"a:b\",\"token\":"
        "1763953000000001,"
        "\"active\":false,\"dirty\":true}}",
        "{\"event\":\"lock:release\",\"data\":{\"resourceId\":\"a:b\",\"revision\":null}}",
        "{ \"event\" : \"session:ping\" , \"data\" : { } , \"id\" : 0 }",
        "{\"event\":\"lock:takeover\",\"id\":\"k\",\"data\":{\"resourceId\":\"a:b\",\"reason\":"
        "\"must\","
        "\"urgent\":true}}",
    };
    struct seeded seed = seeded_start("both readers");

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct buf text, other;
        buf_init(&text);
        buf_init(&other);
        buf_append_str(&text, messages[seeded_below(&seed, ARRAY_LEN(messages))]);
        for (uint64_t n = seeded_below(&seed, 4); n > 0; n--) {
            edit(&seed, &text);
        }
        if (text.data[0] == '{' && utf8_valid(text.data, text.len)) {
            buf_append_str(&other, "{\"zz\":[],");
            buf_append(&other, text.data + 1, text.len - 1);
            json_t *one = describe((struct str){text.data, text.len});
            json_t *two = describe((struct str){other.data, other.len});
            if (!json_equal(one, two)) {
                fail_msg("%s: %s and %s", buf_cstr(&text), json_dumps(one, JSON_SORT_KEYS),
                         json_dumps(two, JSON_SORT_KEYS));
            }
            json_decref(one);
            json_decref(two);
        }
        buf_fini(&text);
        buf_fini(&other);
    }
}

static void test_fini_twice(void **state) {
    static const char text[] = "{\"event\":\"lock:status\",\"data\":{\"resourceId\":\"a:b\"}}";
    struct wire_decode_options options = {.reject_two_parts = false};
    struct wire_request r;
    struct wire_decode_error e;

    (void)state;
    assert_true(wire_decode_native(text, sizeof(text) - 1, &options, &r, &e));
    wire_request_fini(&r);
    wire_request_fini(&r);
    assert_null(r.doc);
}

/* Not a check: what decoding a message of about 200 bytes costs. */
static void test_report_cost(void **state) {
    static const char text[] =
        "{\"event\":\"resource:join\",\"id\":\"c0ffee-0001\",\"data\":{\"resourceId\":"
        "\"operation-report:2025-00042:main\",\"mode\":\"editor\",\"clientId\":"
        "\"Zk3x9QmT7bLw2RfY\","
        "\"token\":1763953000000001,\"presence\":\"diff\"}}";
    struct wire_decode_options options = {.reject_two_parts = false};
    struct wire_request r;
    struct wire_decode_error e;
    struct timespec from, to;
    enum { ROUNDS = 20000 };

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < ROUNDS; i++) {
        assert_true(wire_decode_native(text, sizeof(text) - 1, &options, &r, &e));
        wire_request_fini(&r);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    print_message("decode of %zu bytes: %lld ns\n", sizeof(text) - 1,
                  ((to.tv_sec - from.tv_sec) * 1000000000LL + (to.tv_nsec - from.tv_nsec)) /
                      ROUNDS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),       cmocka_unit_test(test_frames),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_two_parts_rejected),
        cmocka_unit_test(test_ref_worst_case), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_fini_twice),     cmocka_unit_test(test_report_cost),
        cmocka_unit_test(test_both_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
