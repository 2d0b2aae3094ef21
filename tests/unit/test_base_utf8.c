#include "seeded.h"

#include "wslock/base/str.h"

struct sample {
    const char *bytes;
    size_t len;
    bool valid;
    size_t points; /* when valid */
};

#define VALID(text, points)                                                                        \
    { text, sizeof(text) - 1, true, points }
#define INVALID(text)                                                                              \
    { text, sizeof(text) - 1, false, 0 }

static const struct sample samples[] = {
    VALID("", 0),
    VALID("a\0b", 3),
    VALID("plain ascii, longer than a word", 31),
    VALID("\x7f", 1),
    VALID("\xc2\x80", 1),
    VALID("\xdf\xbf", 1),
    VALID("\xe0\xa0\x80", 1),
    VALID("\xed\x9f\xbf", 1),
    VALID("\xee\x80\x80", 1),
    VALID("\xef\xbf\xbf", 1),
    VALID("\xef\xbb\xbf", 1),
    VALID("\xf0\x90\x80\x80", 1),
    VALID("\xf4\x8f\xbf\xbf", 1),
    VALID("12345678\xe2\x82\xac"
          "12345678",
          17),
    VALID("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80", 3),
    /* continuation bytes alone, lead bytes alone */
    INVALID("\x80"),
    INVALID("\xbf"),
    INVALID("a\x80"),
    INVALID("\xc2"),
    INVALID("\xc2z"),
    INVALID("\xe2\x82"),
    INVALID("\xe2\x82z"),
    INVALID("\xf0\x9f\x91"),
    INVALID("\xf0\x9f\x91z"),
    /* overlong forms */
    INVALID("\xc0\x80"),
    INVALID("\xc0\xaf"),
    INVALID("\xc1\xbf"),
    INVALID("\xe0\x80\xaf"),
    INVALID("\xe0\x9f\xbf"),
    INVALID("\xf0\x80\x80\xaf"),
    INVALID("\xf0\x8f\xbf\xbf"),
    /* surrogates */
    INVALID("\xed\xa0\x80"),
    INVALID("\xed\xbf\xbf"),
    INVALID("\xed\xa0\xbd\xed\xb0\x80"),
    /* past U+10FFFF, bytes that never occur */
    INVALID("\xf4\x90\x80\x80"),
    INVALID("\xf5\x80\x80\x80"),
    INVALID("\xf8\x88\x80\x80\x80"),
    INVALID("\xfe"),
    INVALID("\xff"),
    INVALID("1234567\xff"),
    INVALID("12345678\xff"),
};

static void test_samples(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *s = &samples[i];
        if (utf8_valid(s->bytes, s->len) != s->valid) {
            fail_msg("sample %zu is judged wrongly", i);
        }
        if (s->valid) {
            assert_int_equal(utf8_length(s->bytes, s->len), s->points);
        }
    }
}

static size_t encode(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, code >>= 6) {
        out[i] = (char)(0x80 | (code & 0x3f));
    }
    out[0] = (char)((0xf00U >> len & 0xffU) | code);
    return len;
}

static void test_every_code_point(void **state) {
    (void)state;
    for (uint32_t code = 0; code < 0x200000; code++) {
        char bytes[4];
        size_t len = encode(code, bytes);
        bool valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        if (utf8_valid(bytes, len) != valid) {
            fail_msg("U+%04X is judged wrongly", (unsigned)code);
        }
        if (valid && utf8_sequence(bytes, len) != len) {
            fail_msg("U+%04X has the wrong length", (unsigned)code);
        }
        if (len > 1 && utf8_valid(bytes, len - 1)) {
            fail_msg("U+%04X is accepted cut short", (unsigned)code);
        }
        for (size_t part = 1; valid && part < len; part++) {
            size_t whole = 0;
            if (!utf8_check(bytes, part, &whole) || whole != 0) {
                fail_msg("U+%04X cannot come in pieces", (unsigned)code);
            }
        }
    }
}

/* Nothing behind the end is read: the sanitizer watches exact-size heap copies. */
static void test_stays_inside(void **state) {
    (void)state;
    struct seeded seed = seeded_start("utf8");
    for (int round = 0; round < 20000; round++) {
        size_t len = 1 + seeded_below(&seed, 24);
        char *bytes = malloc(len);
        assert_non_null(bytes);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (char)(seeded_below(&seed, 3) == 0 ? seeded_below(&seed, 256)
                                                          : seeded_below(&seed, 128));
        }
        size_t at = 0;
        while (at < len) {
            size_t step = utf8_sequence(bytes + at, len - at);
            if (step == 0) {
                break;
            }
            at += step;
        }
        assert_int_equal(utf8_valid(bytes, len), at == len);
        size_t whole = 0;
        bool may = true;
        for (size_t part = 1; may && part <= len; part++) {
            may = utf8_check(bytes, part, &whole);
        }
        assert_int_equal(may && whole == len, at == len);
        free(bytes);
    }
}

static void test_cut(void **state) {
    static const size_t KEPT[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};

    (void)state;
    for (size_t max = 0; max < sizeof KEPT / sizeof KEPT[0]; max++) {
        assert_int_equal(utf8_cut(str_of("aä語🚀"), max), KEPT[max]);
    }
    assert_int_equal(utf8_cut((struct str){NULL, 0}, 0), 0);
    assert_int_equal(utf8_cut(str_of("\x80\x80\x80"), 2), 0);
}

static void test_str(void **state) {
    (void)state;
    assert_true(str_eq(str_of(NULL), str_of("")));
    assert_true(str_eqz((struct str){"abcd", 3}, "abc"));
    assert_false(str_eqz((struct str){"abcd", 3}, "abcd"));
    assert_false(str_eqz(str_of("abc"), "abd"));
    char *copy = str_dup((struct str){"abcd", 2});
    assert_string_equal(copy, "ab");
    free(copy);
    copy = str_dup(str_of(NULL));
    assert_string_equal(copy, "");
    free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),      cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_stays_inside), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_str),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
