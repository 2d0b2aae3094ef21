/* Growth and formatting of buffers. */
#include "wslock/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wslock/base/mem.h"

#define BUF_CAP_MIN 64

void buf_init(struct buf *b) {
    *b = (struct buf){.data = NULL};
}

void buf_fini(struct buf *b) {
    mem_free(b->data);
    buf_init(b);
}

void buf_fini_secret(struct buf *b) {
    if (b->data != NULL) {
        explicit_bzero(b->data, b->cap);
    }
    buf_fini(b);
}

void buf_reset(struct buf *b) {
    b->len = 0;
}

void buf_grow(struct buf *b, size_t extra_bytes) {
    size_t need;
    if (__builtin_add_overflow(b->len, extra_bytes, &need)) {
        mem_exhausted();
    }
    size_t cap = b->cap < BUF_CAP_MIN ? BUF_CAP_MIN : b->cap;
    while (cap < need) {
        if (__builtin_mul_overflow(cap, (size_t)2, &cap)) {
            cap = need;
        }
    }
    b->data = mem_realloc(b->data, cap);
    b->cap = cap;
}

void buf_append(struct buf *b, const void *data, size_t len) {
    if (len == 0) {
        return;
    }
    buf_reserve(b, len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void buf_append_str(struct buf *b, const char *text) {
    buf_append(b, text, strlen(text));
}

void buf_append_char(struct buf *b, char c) {
    buf_reserve(b, 1);
    b->data[b->len++] = c;
}

/* "00" to "99" */
static const char PAIRS[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

size_t buf_i64(char *out, int64_t value) {
    char digits[BUF_I64_MAX];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    while (rest >= 10) {
        const char *pair = PAIRS + rest % 100 * 2;
        digits[--at] = pair[1];
        digits[--at] = pair[0];
        rest /= 100;
    }
    if (rest > 0 || at == sizeof digits) {
        digits[--at] = (char)('0' + rest);
    }
    if (value < 0) {
        digits[--at] = '-';
    }
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

void buf_append_i64(struct buf *b, int64_t value) {
    buf_reserve(b, BUF_I64_MAX);
    b->len += buf_i64(b->data + b->len, value);
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    size_t room = b->cap - b->len;
    int len = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, args);
    if (len > 0 && (size_t)len >= room) {
        buf_reserve(b, (size_t)len + 1);
        len = vsnprintf(b->data + b->len, b->cap - b->len, fmt, again);
    }
    if (len > 0) {
        b->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

const char *buf_cstr(struct buf *b) {
    buf_reserve(b, 1);
    b->data[b->len] = '\0';
    return b->data;
}
