/* A growable byte buffer. Owned by whoever calls buf_init and buf_fini. */
#ifndef WSLOCK_BASE_BUF_H
#define WSLOCK_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "wslock/base/macros.h"

struct buf {
    char *data; /* not NUL-terminated unless buf_cstr was called */
    size_t len;
    size_t cap;
};

void buf_init(struct buf *b);
void buf_fini(struct buf *b);
/* The same for one that held a secret: wipes it. */
void buf_fini_secret(struct buf *b);
/* len = 0; keeps the memory. */
void buf_reset(struct buf *b);
void buf_grow(struct buf *b, size_t extra_bytes); /* for buf_reserve */
static inline void buf_reserve(struct buf *b, size_t extra_bytes) {
    if (b->cap - b->len < extra_bytes) {
        buf_grow(b, extra_bytes);
    }
}
void buf_append(struct buf *b, const void *data, size_t len);
void buf_append_str(struct buf *b, const char *text);
void buf_append_char(struct buf *b, char c);
void buf_append_i64(struct buf *b, int64_t value);
#define BUF_I64_MAX 20
/* Writes the digits, at most BUF_I64_MAX; gives how many. */
size_t buf_i64(char *out, int64_t value);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Adds a NUL behind the content (not counted in len) and returns data, valid until the next change.
 */
const char *buf_cstr(struct buf *b);

#endif
