#include "seeded.h"

#include <inttypes.h>
#include <jansson.h>

#include "wslock/base/jsonw.h"

static void test_buf(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    assert_string_equal(buf_cstr(&b), "");
    buf_append_i64(&b, INT64_MIN);
    buf_append_char(&b, ' ');
    buf_append_i64(&b, INT64_MAX);
    buf_append_str(&b, " ");
    buf_append_i64(&b, 0);
    assert_string_equal(buf_cstr(&b), "-9223372036854775808 9223372036854775807 0");
    buf_reset(&b);
    assert_int_equal(b.len, 0);
    /* a printf that fits nowhere yet, and one that ends exactly at the capacity */
    buf_printf(&b, "%0200d|", 7);
    assert_int_equal(b.len, 201);
    assert_int_equal(b.data[199], '7');
    size_t room = b.cap - b.len;
    buf_printf(&b, "%*s", (int)room, "x");
    assert_int_equal(b.data[b.len - 1], 'x');
    assert_int_equal(b.len, 201 + room);
    buf_append(&b, NULL, 0);
    buf_fini(&b);
    assert_null(b.data);
}

static void test_shape(void **state) {
    (void)state;
    struct buf b;
    struct jsonw w;
    buf_init(&b);
    jsonw_init(&w, &b);
    jsonw_object_open(&w);
    jsonw_kcstr(&w, "a", "x");
    jsonw_kcstr(&w, "none", NULL);
    jsonw_ki64(&w, "n", -5);
    jsonw_kbool(&w, "yes", true);
    jsonw_kbool(&w, "no", false);
    jsonw_key(&w, "list");
    jsonw_array_open(&w);
    jsonw_array_open(&w);
    jsonw_array_close(&w);
    jsonw_i64(&w, 1);
    jsonw_object_open(&w);
    jsonw_object_close(&w);
    jsonw_null(&w);
    jsonw_str(&w, (struct str){NULL, 0});
    jsonw_array_close(&w);
    jsonw_kstr(&w, "k", str_of("v"));
    jsonw_object_close(&w);
    assert_string_equal(buf_cstr(&b),
                        "{\"a\":\"x\",\"none\":null,\"n\":-5,\"yes\":true,\"no\":false,"
                        "\"list\":[[],1,{},null,\"\"],\"k\":\"v\"}");
    buf_fini(&b);
}

static void check_string(const char *bytes, size_t len, const char *json) {
    struct buf b;
    struct jsonw w;
    buf_init(&b);
    jsonw_init(&w, &b);
    jsonw_str(&w, (struct str){bytes, len});
    assert_string_equal(buf_cstr(&b), json);
    buf_fini(&b);
}

#define CHECK_STRING(text, json) check_string(text, sizeof(text) - 1, json)

static void test_escapes(void **state) {
    (void)state;
    CHECK_STRING("", "\"\"");
    CHECK_STRING("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    CHECK_STRING("\b\f\n\r\t\x01\x1f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\"");
    CHECK_STRING("a\0b", "\"a\\u0000b\"");
    CHECK_STRING("\x7f", "\"\x7f\"");
    CHECK_STRING("1234567\"", "\"1234567\\\"\"");
    CHECK_STRING("12345678\\12345678\n", "\"12345678\\\\12345678\\n\"");
    CHECK_STRING("\xe2\x82\xac\xf0\x9f\x9a\x80", "\"\xe2\x82\xac\xf0\x9f\x9a\x80\"");
    CHECK_STRING("a\xff"
                 "b",
                 "\"a\xef\xbf\xbd"
                 "b\"");
    CHECK_STRING("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK_STRING("\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* Each byte at each place of a word, so that the eight-at-once path and the rest agree. */
static void test_every_byte_everywhere(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char one[8];
        struct buf expected;
        struct jsonw w;
        buf_init(&expected);
        one[0] = (char)byte;
        jsonw_init(&w, &expected);
        jsonw_str(&w, (struct str){one, 1});
        for (size_t at = 0; at < 17; at++) {
            char text[17];
            memset(text, 'x', sizeof text);
            text[at] = (char)byte;
            struct buf b;
            buf_init(&b);
            jsonw_init(&w, &b);
            jsonw_str(&w, (struct str){text, sizeof text});
            assert_int_equal(b.len, expected.len + 16);
            assert_memory_equal(b.data + 1 + at, expected.data + 1, expected.len - 2);
            buf_fini(&b);
        }
        buf_fini(&expected);
    }
}

/* Appends random bytes; of valid UTF-8 unless `wild`. */
static size_t random_text(struct seeded *seed, char *out, size_t cap, bool wild) {
    static const char *const pieces[] = {
        "\"",          "\\", "\n", "\x01", "\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x9a\x80",
        "plain text ", "x"};
    size_t len = 0;
    size_t count = seeded_below(seed, 12);
    for (size_t i = 0; i < count && len + 16 < cap; i++) {
        if (wild && seeded_below(seed, 2) == 0) {
            out[len++] = (char)seeded_below(seed, 256);
            continue;
        }
        const char *piece = pieces[seeded_below(seed, sizeof pieces / sizeof pieces[0])];
        memcpy(out + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}

static void test_round_trip(void **state) {
    (void)state;
    struct seeded seed = seeded_start("jsonw");
    struct buf b;
    buf_init(&b);
    for (int round = 0; round < 5000; round++) {
        char text[256], wild[256];
        size_t len = random_text(&seed, text, sizeof text, false);
        size_t wild_len = random_text(&seed, wild, sizeof wild, true);
        int64_t number = (int64_t)seeded_next(&seed) >> seeded_below(&seed, 64);
        struct jsonw w;
        buf_reset(&b);
        jsonw_init(&w, &b);
        jsonw_object_open(&w);
        jsonw_kstr(&w, "text", (struct str){text, len});
        jsonw_kstr(&w, "wild", (struct str){wild, wild_len});
        jsonw_ki64(&w, "number", number);
        jsonw_object_close(&w);
        json_t *read = json_loadb(b.data, b.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(read);
        const json_t *got = json_object_get(read, "text");
        assert_int_equal(json_string_length(got), len);
        assert_memory_equal(json_string_value(got), text, len);
        got = json_object_get(read, "wild");
        if (utf8_valid(wild, wild_len)) {
            assert_int_equal(json_string_length(got), wild_len);
            assert_memory_equal(json_string_value(got), wild, wild_len);
        } else {
            assert_non_null(
                memmem(json_string_value(got), json_string_length(got), "\xef\xbf\xbd", 3));
        }
        assert_true(json_integer_value(json_object_get(read, "number")) == number);
        json_decref(read);
    }
    buf_fini(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf),        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_escapes),    cmocka_unit_test(test_every_byte_everywhere),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
