/* base64url, both ways. */
#include "b64.h"

#include <stdint.h>

static int sextet(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '-') {
        return 62;
    }
    return c == '_' ? 63 : -1;
}

bool auth_b64_decode(struct str text, struct buf *out) {
    size_t before = out->len;
    uint32_t bits = 0;
    unsigned count = 0;

    if (text.len % 4 == 1) {
        return false;
    }
    buf_reserve(out, text.len / 4 * 3 + 2);
    for (size_t i = 0; i < text.len; i++) {
        int value = sextet(text.p[i]);

        if (value < 0) {
            goto bad;
        }
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_append_char(out, (char)(bits >> count & 0xff));
        }
    }
    if ((bits & ((1U << count) - 1)) == 0) {
        return true;
    }
bad:
    out->len = before;
    return false;
}

void auth_b64_encode(struct str bytes, struct buf *out) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *p = (const unsigned char *)bytes.p;
    uint32_t bits = 0;
    unsigned count = 0;

    buf_reserve(out, bytes.len / 3 * 4 + 4);
    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | p[i];
        for (count += 8; count >= 6; count -= 6) {
            buf_append_char(out, DIGITS[bits >> (count - 6) & 63]);
        }
    }
    if (count > 0) {
        buf_append_char(out, DIGITS[bits << (6 - count) & 63]);
    }
}
