/* What counts as JSON that comes from outside: RFC 8259 to the letter, and our own bounds. */
#include "seeded.h"

#include "wslock/base/buf.h"
#include "wslock/base/jsonr.h"

#define TEXT(literal) ((struct str){literal, sizeof(literal) - 1})

static const char *const FAULTS[] = {
    [JSONR_NOT_AN_OBJECT] = "not an object",
    [JSONR_TOO_DEEP] = "too deep",
    [JSONR_NAME_TWICE] = "a name twice",
    [JSONR_OUT_OF_RANGE] = "out of range",
};

static void refused(struct str text, enum jsonr_fault expected) {
    enum jsonr_fault fault = JSONR_NOT_AN_OBJECT;

    if (jsonr_object(text, &fault) != NULL) {
        fail_msg("taken: %.*s", (int)text.len, text.p);
    }
    if (fault != expected) {
        fail_msg("%s: %.*s", FAULTS[fault], (int)text.len, text.p);
    }
    assert_null(jsonr_object(text, NULL));
}

static void taken(struct str text) {
    enum jsonr_fault fault = JSONR_NOT_AN_OBJECT;
    json_t *value = jsonr_object(text, &fault);

    if (value == NULL) {
        fail_msg("%s: %.*s", FAULTS[fault], (int)text.len, text.p);
    }
    json_decref(value);
}

/* The value by itself, in an object, in an array in it, and last before each kind of end. */
static void each_place(struct str value, void (*check)(struct str text)) {
    static const char *const PLACES[][2] = {
        {"{\"a\":", "}"},       {"{\"a\":", ",\"b\":1}"}, {"{\"a\":[", "]}"},
        {"{\"a\":[1,", ",2]}"}, {" { \"a\" : ", " } "},
    };
    struct buf text;

    buf_init(&text);
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        buf_reset(&text);
        buf_append_str(&text, PLACES[i][0]);
        buf_append(&text, value.p, value.len);
        buf_append_str(&text, PLACES[i][1]);
        check((struct str){text.data, text.len});
    }
    buf_fini(&text);
}

static void is_no_json(struct str text) {
    refused(text, JSONR_NOT_AN_OBJECT);
}

static void test_values(void **state) {
    static const struct str GOOD[] = {
        TEXT("0"),
        TEXT("-0"),
        TEXT("-1"),
        TEXT("9223372036854775807"),
        TEXT("-9223372036854775808"),
        TEXT("0.5"),
        TEXT("-0.0e-0"),
        TEXT("1E+2"),
        TEXT("1e-400"),
        TEXT("true"),
        TEXT("false"),
        TEXT("null"),
        TEXT("\"\""),
        TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001F\""),
        TEXT("\"\\ud83d\\uDE00\""),
        TEXT("\"\x7f\xc2\x80\xe2\x80\xa8\xef\xbb\xbf\xef\xbf\xbf\xf4\x8f\xbf\xbf\""),
        TEXT("[]"),
        TEXT("{}"),
        TEXT("[ \t\r\n]"),
        TEXT("{\"\":{}}"),
        TEXT("\"[[[[[[[[[[[[[[[[[[[[{\\\"[\""),
    };
    static const struct str BAD[] = {
        /* numbers */
        TEXT("01"),
        TEXT("-01"),
        TEXT("00"),
        TEXT("-"),
        TEXT("+1"),
        TEXT("--1"),
        TEXT("1."),
        TEXT("-1."),
        TEXT(".5"),
        TEXT("1.e1"),
        TEXT("1e"),
        TEXT("1e+"),
        TEXT("1eE2"),
        TEXT("0x1"),
        TEXT("1 000"),
        TEXT("1_0"),
        TEXT("NaN"),
        TEXT("Infinity"),
        TEXT("-Infinity"),
        TEXT("1a"),
        TEXT("\xef\xbc\x91"),
        /* literals */
        TEXT("nul"),
        TEXT("True"),
        TEXT("truefalse"),
        TEXT("nullx"),
        TEXT("undefined"),
        /* strings */
        TEXT("'a'"),
        TEXT("a"),
        TEXT("\""),
        TEXT("\"\\\""),
        TEXT("\"\\x41\""),
        TEXT("\"\\u12\""),
        TEXT("\"\\u 123\""),
        TEXT("\"\\U0041\""),
        TEXT("\"\\'\""),
        TEXT("\"\\\n\""),
        TEXT("\"\t\""),
        TEXT("\"\n\""),
        TEXT("\"\x1f\""),
        TEXT("\"\\ud83d\""),
        TEXT("\"\\ude00\\ud83d\""),
        TEXT("\"\\ud83dx\""),
        TEXT("\"\x80\""),
        TEXT("\"\xff\""),
        TEXT("\"\xc0\x80\""),
        TEXT("\"\xed\xa0\x80\""),
        TEXT("\"\xf4\x90\x80\x80\""),
        TEXT("\"\xe2\x82\""),
        /* structure */
        TEXT(","),
        TEXT("1,"),
        TEXT(",1"),
        TEXT("1 2"),
        TEXT("[1,]"),
        TEXT("[,1]"),
        TEXT("[1;2]"),
        TEXT("["),
        TEXT("]"),
        TEXT("[1"),
        TEXT("{"),
        TEXT("}"),
        TEXT("[}"),
        TEXT("{]"),
        TEXT("{\"a\"}"),
        TEXT("{\"a\":}"),
        TEXT("{a:1}"),
        TEXT("{1:1}"),
        TEXT("{'a':1}"),
        TEXT("{\"a\" 1}"),
        TEXT("{\"a\",1}"),
        TEXT("{\"a\":1,}"),
        TEXT("{\"a\":1 \"b\":2}"),
        TEXT("{\"a\":1,,\"b\":2}"),
        TEXT("{null:null}"),
        TEXT("1/**/"),
        TEXT("1//x\n"),
        TEXT("1#x\n"),
        TEXT("\xc2\xa0"
             "1"),
        TEXT("1\f"),
        TEXT("1\v"),
        TEXT("\xef\xbb\xbf"
             "1"),
        TEXT("\xe2\x81\xa0"
             "1"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        each_place(GOOD[i], taken);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        each_place(BAD[i], is_no_json);
    }
}

static void test_whole_texts(void **state) {
    static const struct str BAD[] = {
        TEXT(""),          TEXT(" "),     TEXT("null"),       TEXT("1"),
        TEXT("\"a\""),     TEXT("[]"),    TEXT("{}{}"),       TEXT("{}x"),
        TEXT("{}]"),       TEXT("{},"),   TEXT("x{}"),        TEXT("\xef\xbb\xbf{}"),
        TEXT("\xff\xfe{"), TEXT("{} //"), TEXT("\xc2\xa0{}"), TEXT("{\"a\\u0000b\":1}"),
    };

    (void)state;
    refused((struct str){NULL, 0}, JSONR_NOT_AN_OBJECT);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        is_no_json(BAD[i]);
    }
    taken(TEXT("{}"));
    taken(TEXT(" \t\r\n{ \t\r\n} \t\r\n"));
}

/* A NUL byte stands nowhere in JSON: put into every place of a text, or in place of every byte. */
static void test_nul_anywhere(void **state) {
    static const struct str TEXTS[] = {
        TEXT("{\"a\":1,\"b\":-2.5e3,\"c\":[0,true,false,null,\"x\",{}],\"d\":{\"e\":7}}"),
        TEXT(" { \"a\" : 1 , \"b\" : [ null , 2 ] } \n"),
    };
    struct buf text;

    (void)state;
    buf_init(&text);
    for (size_t t = 0; t < sizeof TEXTS / sizeof TEXTS[0]; t++) {
        taken(TEXTS[t]);
        for (size_t count = 1; count <= 2; count++) {
            for (size_t at = 0; at <= TEXTS[t].len; at++) {
                buf_reset(&text);
                buf_append(&text, TEXTS[t].p, at);
                buf_append(&text, "\0\0", count);
                buf_append(&text, TEXTS[t].p + at, TEXTS[t].len - at);
                is_no_json((struct str){text.data, text.len});
            }
        }
        for (size_t at = 0; at < TEXTS[t].len; at++) {
            buf_reset(&text);
            buf_append(&text, TEXTS[t].p, TEXTS[t].len);
            text.data[at] = '\0';
            is_no_json((struct str){text.data, text.len});
        }
    }
    buf_fini(&text);
}

static void test_bounds(void **state) {
    struct buf text;

    (void)state;
    buf_init(&text);
    for (int depth = 15; depth <= 18; depth++) {
        buf_reset(&text);
        for (int i = 0; i < depth; i++) {
            buf_append_str(&text, i % 2 ? "[" : "{\"a\":");
        }
        buf_append_str(&text, "1");
        for (int i = depth; i-- > 0;) {
            buf_append_str(&text, i % 2 ? "]" : "}");
        }
        if (depth <= JSON_DEPTH_MAX) {
            taken((struct str){text.data, text.len});
        } else {
            refused((struct str){text.data, text.len}, JSONR_TOO_DEEP);
        }
    }
    buf_fini(&text);
    refused(TEXT("[[[[[[[[[[[[[[[[["), JSONR_TOO_DEEP);
    refused(TEXT("{\"a\":1,\"a\":1}"), JSONR_NAME_TWICE);
    refused(TEXT("{\"a\":1,\"\\u0061\":2}"), JSONR_NAME_TWICE);
    refused(TEXT("{\"b\":[{\"a\":1,\"c\":2,\"a\":3}]}"), JSONR_NAME_TWICE);
    taken(TEXT("{\"a\":{\"a\":[{\"a\":1},{\"a\":1}]},\"A\":1}"));
    refused(TEXT("{\"a\":9223372036854775808}"), JSONR_OUT_OF_RANGE);
    refused(TEXT("{\"a\":-9223372036854775809}"), JSONR_OUT_OF_RANGE);
    refused(TEXT("{\"a\":1e309}"), JSONR_OUT_OF_RANGE);
    refused(TEXT("{\"a\":-1e309}"), JSONR_OUT_OF_RANGE);
}

static void test_strings(void **state) {
    json_t *value = jsonr_object(TEXT("{\"a\":\"x\\u0000y\",\"b\":\"x\",\"c\":1}"), NULL);

    (void)state;
    assert_non_null(value);
    assert_true(str_eq(jsonr_str(json_object_get(value, "a")), TEXT("x\0y")));
    assert_false(jsonr_is(json_object_get(value, "a"), "x"));
    assert_true(jsonr_is(json_object_get(value, "b"), "x"));
    assert_null(jsonr_str(json_object_get(value, "c")).p);
    assert_int_equal(jsonr_str(json_object_get(value, "c")).len, 0);
    assert_false(jsonr_is(json_object_get(value, "c"), "1"));
    assert_null(jsonr_str(NULL).p);
    assert_false(jsonr_is(NULL, ""));
    json_decref(value);
}

static void test_arrays(void **state) {
    static const struct {
        struct str text;
        enum jsonr_fault fault;
    } CASES[] = {
        {TEXT("{}"), JSONR_NOT_AN_OBJECT},
        {TEXT("[1"), JSONR_NOT_AN_OBJECT},
        {TEXT("[]]"), JSONR_NOT_AN_OBJECT},
        {TEXT("[]\0"), JSONR_NOT_AN_OBJECT},
        {TEXT("[{\"a\":1,\"a\":1}]"), JSONR_NAME_TWICE},
        {TEXT("[1e999]"), JSONR_OUT_OF_RANGE},
        {TEXT("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), JSONR_TOO_DEEP},
    };
    enum jsonr_fault fault = JSONR_NOT_AN_OBJECT;
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_null(jsonr_array(CASES[i].text, &fault));
        assert_int_equal(fault, CASES[i].fault);
    }
    json_t *value = jsonr_array(TEXT(" [\"a\", {}, [[[[[[[[[[[[[[[]]]]]]]]]]]]]]]] "), NULL);
    assert_int_equal(json_array_size(value), 3);
    json_decref(value);
    refused(TEXT("[]"), JSONR_NOT_AN_OBJECT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays),      cmocka_unit_test(test_values),
        cmocka_unit_test(test_whole_texts), cmocka_unit_test(test_nul_anywhere),
        cmocka_unit_test(test_bounds),      cmocka_unit_test(test_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
