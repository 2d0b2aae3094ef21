/* A borrowed, not NUL-terminated run of bytes: dies with what it points into. */
#ifndef WSLOCK_BASE_STR_H
#define WSLOCK_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p; /* may be NULL when len is 0 */
    size_t len;
};

static inline struct str str_of(const char *text) {
    struct str s = {text, text != NULL ? strlen(text) : 0};
    return s;
}
static inline bool str_eq(struct str a, struct str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}
static inline bool str_eqz(struct str a, const char *text) {
    return str_eq(a, str_of(text));
}
/* Takes what stands before the next separator off rest, and the separator. False, and nothing is
 * changed, if there is none. */
static inline bool str_cut(struct str *rest, char separator, struct str *out) {
    const char *at = rest->len > 0 ? (const char *)memchr(rest->p, separator, rest->len) : NULL;
    if (at == NULL) {
        return false;
    }
    *out = (struct str){rest->p, (size_t)(at - rest->p)};
    rest->p = at + 1;
    rest->len -= out->len + 1;
    return true;
}
/* NUL-terminated heap copy, owned by the caller. */
char *str_dup(struct str s);
/* Without the spaces and tabs around it. */
struct str str_trim(struct str s);

/* Strict UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
bool utf8_valid(const char *p, size_t len);
/* The same for a text that comes in pieces: goes on at *whole (0 at first) and leaves there how
 * many bytes are whole characters; what is behind them, up to three bytes, may become one. False
 * when nothing that follows can make the text valid. */
bool utf8_check(const char *p, size_t len, size_t *whole);
/* Length in bytes (1 to 4) of the valid UTF-8 sequence at p, 0 when what stands there is none; len
 * > 0. */
size_t utf8_sequence(const char *p, size_t len);
/* The code point of a whole sequence of that length. */
uint32_t utf8_code(const char *p, size_t len);
/* How much of a text to keep so that it is max bytes at most and ends with a whole character. */
size_t utf8_cut(struct str text, size_t max);
/* Number of code points of valid UTF-8. */
size_t utf8_length(const char *p, size_t len);

#endif
