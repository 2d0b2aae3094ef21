/* Writes JSON. */
#include "wslock/base/jsonw.h"

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Has its high bit set in some byte when one of the eight bytes is zero. */
static uint64_t zero_bytes(uint64_t word) {
    return (word - ONES) & ~word & HIGHS;
}

/* Length of the run at p of ASCII that needs no escape. */
static size_t plain_run(const char *p, size_t len) {
    size_t i = 0;
    while (len - i >= 8) {
        uint64_t word;
        memcpy(&word, p + i, sizeof word);
        uint64_t special = (word & HIGHS) | ((word - ONES * 0x20) & ~word & HIGHS) |
                           zero_bytes(word ^ ONES * '"') | zero_bytes(word ^ ONES * '\\');
        if (special != 0) {
            break;
        }
        i += 8;
    }
    while (i < len && (unsigned char)p[i] >= 0x20 && (unsigned char)p[i] < 0x80 && p[i] != '"' &&
           p[i] != '\\') {
        i++;
    }
    return i;
}

static void append_escape(struct buf *out, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    buf_append_char(out, '\\');
    if (c >= 0x20) {
        buf_append_char(out, (char)c);
    } else if (letters[c] != 0) {
        buf_append_char(out, letters[c]);
    } else {
        buf_append_str(out, "u00");
        buf_append_char(out, hex[c >> 4]);
        buf_append_char(out, hex[c & 15]);
    }
}

/* What is left of a string behind a run that needs no escape. */
static void append_rest(struct buf *out, const char *p, size_t len) {
    size_t i = 0;
    while (i < len) {
        unsigned char c = (unsigned char)p[i];
        if (c < 0x80) {
            append_escape(out, c);
            i++;
        } else {
            size_t sequence = utf8_sequence(p + i, len - i);
            if (sequence > 0) {
                buf_append(out, p + i, sequence);
            } else {
                buf_append_str(out, "\xef\xbf\xbd");
            }
            i += sequence > 0 ? sequence : 1;
        }
        size_t run = plain_run(p + i, len - i);
        buf_append(out, p + i, run);
        i += run;
    }
}

/* Where `bytes` may be written, behind a comma if one is due; ended by `end`. */
static char *begin(struct jsonw *w, size_t bytes) {
    struct buf *out = w->out;
    buf_reserve(out, bytes + 1);
    char *p = out->data + out->len;
    if (w->comma) {
        *p++ = ',';
    }
    w->comma = true;
    return p;
}

static void end(struct jsonw *w, const char *p) {
    w->out->len = (size_t)(p - w->out->data);
}

static char *copy(char *to, const char *from, size_t len) {
    memcpy(to, from, len);
    return to + len;
}

static void put(struct jsonw *w, const char *text, size_t len) {
    end(w, copy(begin(w, len), text, len));
}

static void open_with(struct jsonw *w, char c) {
    put(w, &c, 1);
    w->comma = false;
}

static void close_with(struct jsonw *w, char c) {
    buf_append_char(w->out, c);
    w->comma = true;
}

void jsonw_init(struct jsonw *w, struct buf *out) {
    w->out = out;
    w->comma = false;
}

void jsonw_object_open(struct jsonw *w) {
    open_with(w, '{');
}

void jsonw_object_close(struct jsonw *w) {
    close_with(w, '}');
}

void jsonw_array_open(struct jsonw *w) {
    open_with(w, '[');
}

void jsonw_array_close(struct jsonw *w) {
    close_with(w, ']');
}

void jsonw_key_str(struct jsonw *w, struct str key) {
    char *p = begin(w, key.len + 3);
    *p++ = '"';
    p = copy(p, key.p, key.len);
    *p++ = '"';
    *p++ = ':';
    end(w, p);
    w->comma = false;
}

void jsonw_str(struct jsonw *w, struct str value) {
    size_t run = plain_run(value.p, value.len);
    char *p = begin(w, value.len + 2);
    *p++ = '"';
    if (run > 0) {
        p = copy(p, value.p, run);
    }
    if (run == value.len) {
        *p++ = '"';
    }
    end(w, p);
    if (run == value.len) {
        return;
    }
    append_rest(w->out, value.p + run, value.len - run);
    buf_append_char(w->out, '"');
}

void jsonw_cstr(struct jsonw *w, const char *value) {
    if (value == NULL) {
        jsonw_null(w);
    } else {
        jsonw_str(w, str_of(value));
    }
}

void jsonw_i64(struct jsonw *w, int64_t value) {
    char *p = begin(w, BUF_I64_MAX);
    end(w, p + buf_i64(p, value));
}

void jsonw_bool(struct jsonw *w, bool value) {
    if (value) {
        put(w, "true", 4);
    } else {
        put(w, "false", 5);
    }
}

void jsonw_null(struct jsonw *w) {
    put(w, "null", 4);
}
