/*
 * Writes JSON (RFC 8259) into a buf, without white space. It puts the commas itself. String values
 * are escaped; bytes that are not valid UTF-8 become U+FFFD, so the output is always valid JSON.
 * Keys are the program's own and written as they are: ASCII that needs no escape.
 */
#ifndef WSLOCK_BASE_JSONW_H
#define WSLOCK_BASE_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/buf.h"
#include "wslock/base/str.h"

struct jsonw {
    struct buf *out; /* borrowed */
    bool comma;      /* a comma is due before the next value or key */
};

void jsonw_init(struct jsonw *w, struct buf *out);
void jsonw_object_open(struct jsonw *w);
void jsonw_object_close(struct jsonw *w);
void jsonw_array_open(struct jsonw *w);
void jsonw_array_close(struct jsonw *w);
void jsonw_key_str(struct jsonw *w, struct str key);
/* Inline, so that the compiler counts a key that is a literal. */
static inline void jsonw_key(struct jsonw *w, const char *key) {
    jsonw_key_str(w, str_of(key));
}
void jsonw_str(struct jsonw *w, struct str value);
void jsonw_cstr(struct jsonw *w, const char *value); /* NULL writes null */
void jsonw_i64(struct jsonw *w, int64_t value);
void jsonw_bool(struct jsonw *w, bool value);
void jsonw_null(struct jsonw *w);

/* Key and value in one. */
static inline void jsonw_kstr(struct jsonw *w, const char *key, struct str value) {
    jsonw_key(w, key);
    jsonw_str(w, value);
}

static inline void jsonw_kcstr(struct jsonw *w, const char *key, const char *value) {
    jsonw_key(w, key);
    jsonw_cstr(w, value);
}

static inline void jsonw_ki64(struct jsonw *w, const char *key, int64_t value) {
    jsonw_key(w, key);
    jsonw_i64(w, value);
}

static inline void jsonw_kbool(struct jsonw *w, const char *key, bool value) {
    jsonw_key(w, key);
    jsonw_bool(w, value);
}

#endif
