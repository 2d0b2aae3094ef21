/* Texts: copies, trimming, UTF-8. */
#include "wslock/base/str.h"

#include "wslock/base/mem.h"

char *str_dup(struct str s) {
    return mem_strndup(s.p, s.len);
}

struct str str_trim(struct str s) {
    while (s.len > 0 && (*s.p == ' ' || *s.p == '\t')) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

static bool is_continuation(unsigned char byte) {
    return (byte & 0xc0) == 0x80;
}

/* RFC 3629 section 4: what the second byte may be depends on the first. */
static bool second_byte_fits(unsigned char first, unsigned char second) {
    if (first == 0xe0) {
        return second >= 0xa0 && second <= 0xbf;
    }
    if (first == 0xed) {
        return second >= 0x80 && second <= 0x9f;
    }
    if (first == 0xf0) {
        return second >= 0x90 && second <= 0xbf;
    }
    if (first == 0xf4) {
        return second >= 0x80 && second <= 0x8f;
    }
    return is_continuation(second);
}

/* How long a sequence is that begins with this byte, 0 when none does. */
static size_t sequence_length(unsigned char first) {
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        return 3;
    }
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* Whether the first len bytes at b fit the sequence that the first one begins. */
static bool sequence_fits(const unsigned char *b, size_t len) {
    if (len > 1 && !second_byte_fits(b[0], b[1])) {
        return false;
    }
    for (size_t i = 2; i < len; i++) {
        if (!is_continuation(b[i])) {
            return false;
        }
    }
    return true;
}

size_t utf8_sequence(const char *p, size_t len) {
    const unsigned char *b = (const unsigned char *)p;
    size_t need = sequence_length(b[0]);
    return need <= len && sequence_fits(b, need) ? need : 0;
}

/* True when the eight bytes at p are all ASCII. */
static bool eight_ascii(const char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

bool utf8_check(const char *p, size_t len, size_t *whole) {
    size_t i = *whole;
    while (i < len) {
        if (len - i >= 8 && eight_ascii(p + i)) {
            i += 8;
            continue;
        }
        const unsigned char *b = (const unsigned char *)p + i;
        size_t need = sequence_length(b[0]);
        size_t have = need < len - i ? need : len - i;
        if (need == 0 || !sequence_fits(b, have)) {
            return false;
        }
        if (have < need) {
            break;
        }
        i += need;
    }
    *whole = i;
    return true;
}

bool utf8_valid(const char *p, size_t len) {
    size_t whole = 0;
    return utf8_check(p, len, &whole) && whole == len;
}

uint32_t utf8_code(const char *p, size_t len) {
    const unsigned char *b = (const unsigned char *)p;
    uint32_t code;

    if (len == 1) {
        return b[0];
    }
    code = b[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        code = code << 6 | (b[i] & 0x3fU);
    }
    return code;
}

size_t utf8_cut(struct str text, size_t max) {
    if (text.len <= max) {
        return text.len;
    }
    while (max > 0 && is_continuation((unsigned char)text.p[max])) {
        max--;
    }
    return max;
}

size_t utf8_length(const char *p, size_t len) {
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += !is_continuation((unsigned char)p[i]);
    }
    return count;
}
