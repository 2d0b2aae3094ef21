#include "wslock/base/str.h"

#include "wslock/base/mem.h"

char *str_dup(struct str s) {
    return mem_strndup(s.p, s.len);
}

static bool is_continuation(unsigned char byte) {
    return (byte & 0xc0) == 0x80;
}

/* RFC 3629 section 4: what the second byte may be depends on the first. */
static bool second_byte_fits(unsigned char first, unsigned char second) {
    if (first == 0xe0)
        return second >= 0xa0 && second <= 0xbf;
    if (first == 0xed)
        return second >= 0x80 && second <= 0x9f;
    if (first == 0xf0)
        return second >= 0x90 && second <= 0xbf;
    if (first == 0xf4)
        return second >= 0x80 && second <= 0x8f;
    return is_continuation(second);
}

size_t utf8_sequence(const char *p, size_t len) {
    const unsigned char *b = (const unsigned char *)p;
    size_t need;
    if (b[0] < 0x80)
        return 1;
    if (b[0] >= 0xc2 && b[0] <= 0xdf)
        need = 2;
    else if (b[0] >= 0xe0 && b[0] <= 0xef)
        need = 3;
    else if (b[0] >= 0xf0 && b[0] <= 0xf4)
        need = 4;
    else
        return 0;
    if (len < need || !second_byte_fits(b[0], b[1]))
        return 0;
    for (size_t i = 2; i < need; i++) {
        if (!is_continuation(b[i]))
            return 0;
    }
    return need;
}

/* True when the eight bytes at p are all ASCII. */
static bool eight_ascii(const char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

bool utf8_valid(const char *p, size_t len) {
    size_t i = 0;
    while (i < len) {
        if (len - i >= 8 && eight_ascii(p + i)) {
            i += 8;
            continue;
        }
        size_t step = utf8_sequence(p + i, len - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

size_t utf8_length(const char *p, size_t len) {
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += !is_continuation((unsigned char)p[i]);
    return count;
}
