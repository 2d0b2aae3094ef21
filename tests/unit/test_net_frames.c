/* Frames of a client, cut anywhere; headers of a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/net/frames.h"
#include "wslock/base/buf.h"

static const unsigned char MASK[4] = {0x11, 0x22, 0x83, 0xf4};

static void put(struct buf *b, unsigned first, unsigned second, const void *extended,
                size_t extended_len, const char *payload, size_t len) {
    unsigned char head[2] = {(unsigned char)first, (unsigned char)second};
    buf_append(b, head, 2);
    buf_append(b, extended, extended_len);
    if (second & 0x80) {
        buf_append(b, MASK, 4);
    }
    for (size_t i = 0; i < len; i++) {
        buf_append_char(b, (char)(payload[i] ^ (second & 0x80 ? MASK[i & 3] : 0)));
    }
}

static void frame(struct buf *b, unsigned first, const char *payload) {
    put(b, first, 0x80 | (unsigned)strlen(payload), "", 0, payload, strlen(payload));
}

/* What was read, as text: "T<" and ">" around a text message, "B<" for a binary one, "8:", "9:",
 * "10:" before a control frame's payload, "!" for an error, behind which nothing is read. */
static void read_all(const struct buf *wire, size_t step, struct buf *seen) {
    struct frames_reader r = {0};
    struct frames_piece piece;
    buf_reset(seen);
    for (size_t at = 0; at < wire->len; at += step) {
        char bytes[512];
        size_t len = wire->len - at < step ? wire->len - at : step;
        char *data = bytes;
        assert_true(len <= sizeof bytes);
        memcpy(bytes, wire->data + at, len);
        for (;;) {
            enum frames_event event = frames_read(&r, &data, &len, &piece);
            if (event == FRAMES_MORE) {
                break;
            }
            if (event == FRAMES_ERROR) {
                buf_append_char(seen, '!');
                return;
            }
            if (event == FRAMES_CONTROL) {
                buf_printf(seen, "%d:", r.opcode);
                buf_append(seen, r.control, r.control_len);
                continue;
            }
            if (piece.first) {
                buf_append_str(seen, piece.binary ? "B<" : "T<");
            }
            buf_append(seen, piece.data, piece.len);
            if (piece.last) {
                buf_append_char(seen, '>');
            }
        }
        assert_int_equal(len, 0);
    }
}

static void assert_read(struct buf *wire, const char *expected) {
    struct buf seen;
    buf_init(&seen);
    for (size_t step = 1; step <= wire->len; step++) {
        read_all(wire, step, &seen);
        assert_string_equal(buf_cstr(&seen), expected);
    }
    buf_fini(&seen);
    buf_reset(wire);
}

static void test_messages(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    frame(&b, 0x81, "hello");
    frame(&b, 0x81, "");
    frame(&b, 0x82, "\x01");
    assert_read(&b, "T<hello>T<>B<\x01>");
    frame(&b, 0x01, "ab");
    frame(&b, 0x89, "ping");
    frame(&b, 0x00, "");
    frame(&b, 0x8a, "");
    frame(&b, 0x80, "cd");
    frame(&b, 0x88, "\x03\xe8");
    assert_read(&b, "T<ab9:ping10:cd>8:\x03\xe8");
    frame(&b, 0x01, "");
    frame(&b, 0x80, "x");
    assert_read(&b, "T<x>");
    buf_fini(&b);
}

static void test_lengths(void **state) {
    (void)state;
    struct buf b;
    char text[301], expected[310];
    memset(text, 'x', 300);
    text[300] = '\0';
    snprintf(expected, sizeof expected, "T<%s>", text);
    buf_init(&b);
    put(&b, 0x81, 0x80 | 126, "\x01\x2c", 2, text, 300);
    assert_read(&b, expected);
    static const struct {
        unsigned char code;
        const char *number;
        size_t len;
    } REFUSED[] = {
        {126, "\0\0", 2},
        {126, "\0\x7d", 2},
        {127, "\0\0\0\0\0\0\0\x01", 8},
        {127, "\0\0\0\0\0\0\xff\xff", 8},
        {127, "\x80\0\0\0\0\0\0\0", 8},
    };
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        put(&b, 0x81, 0x80 | REFUSED[i].code, REFUSED[i].number, REFUSED[i].len, "x", 1);
        assert_read(&b, "!");
    }
    put(&b, 0x81, 0x80 | 126, "\0\x7e", 2, text, 126);
    snprintf(expected, sizeof expected, "T<%.126s>", text);
    assert_read(&b, expected);
    buf_fini(&b);
}

static void test_announced(void **state) {
    (void)state;
    struct buf b;
    struct frames_reader r = {0};
    struct frames_piece piece;
    buf_init(&b);
    put(&b, 0x81, 0x80 | 127, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8, "xy", 2);
    char *data = b.data;
    size_t len = b.len - 2;
    assert_int_equal(frames_read(&r, &data, &len, &piece), FRAMES_DATA);
    assert_int_equal(piece.len, 0);
    assert_true(piece.first && !piece.last && piece.left == INT64_MAX);
    len = 2;
    assert_int_equal(frames_read(&r, &data, &len, &piece), FRAMES_DATA);
    assert_memory_equal(piece.data, "xy", 2);
    assert_true(!piece.first && !piece.last && piece.left == INT64_MAX - 2);
    buf_fini(&b);
}

static void test_control_frames(void **state) {
    (void)state;
    struct buf b;
    char text[126], expected[140];
    memset(text, 'x', 125);
    text[125] = '\0';
    buf_init(&b);
    frame(&b, 0x89, text);
    frame(&b, 0x8a, "y");
    snprintf(expected, sizeof expected, "9:%s10:y", text);
    assert_read(&b, expected);
    buf_fini(&b);
}

static void test_errors(void **state) {
    (void)state;
    static const unsigned FIRST[] = {0xc1, 0xa1, 0x91, 0x83, 0x87, 0x8b,
                                     0x8f, 0x80, 0x00, 0x09, 0x08, 0x0a};
    struct buf b;
    buf_init(&b);
    for (size_t i = 0; i < ARRAY_LEN(FIRST); i++) {
        frame(&b, FIRST[i], "x");
        assert_read(&b, "!");
    }
    put(&b, 0x81, 5, "", 0, "hello", 5); /* no mask */
    assert_read(&b, "!");
    put(&b, 0x81, 0, "", 0, "", 0);
    assert_read(&b, "!");
    put(&b, 0x89, 0x80 | 126, "\0\x7e", 2, "x", 1);
    assert_read(&b, "!");
    frame(&b, 0x01, "a");
    frame(&b, 0x81, "b"); /* a message inside another */
    assert_read(&b, "T<a!");
    frame(&b, 0x81, "a");
    frame(&b, 0x80, "b"); /* the message is over */
    assert_read(&b, "T<a>!");
    buf_fini(&b);
}

static void test_headers(void **state) {
    (void)state;
    unsigned char bytes[FRAMES_HEADER_MAX], *payload = bytes + sizeof bytes;
    assert_int_equal(frames_put_header(payload, FRAMES_TEXT, 125), 2);
    assert_memory_equal(payload - 2, "\x81\x7d", 2);
    assert_int_equal(frames_put_header(payload, FRAMES_PONG, 0), 2);
    assert_memory_equal(payload - 2, "\x8a\x00", 2);
    assert_int_equal(frames_put_header(payload, FRAMES_TEXT, 126), 4);
    assert_memory_equal(payload - 4, "\x81\x7e\x00\x7e", 4);
    assert_int_equal(frames_put_header(payload, FRAMES_TEXT, 65535), 4);
    assert_memory_equal(payload - 4, "\x81\x7e\xff\xff", 4);
    assert_int_equal(frames_put_header(payload, FRAMES_TEXT, 65536), 10);
    assert_memory_equal(payload - 10, "\x81\x7f\0\0\0\0\0\x01\0\0", 10);
}

static void test_close_codes(void **state) {
    (void)state;
    static const unsigned GOOD[] = {1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4999};
    static const unsigned BAD[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535};
    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
        assert_true(frames_is_close_code(GOOD[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        assert_false(frames_is_close_code(BAD[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),    cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_announced),   cmocka_unit_test(test_control_frames),
        cmocka_unit_test(test_errors),      cmocka_unit_test(test_headers),
        cmocka_unit_test(test_close_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
