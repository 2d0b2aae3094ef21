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
        if (special != 0)
            break;
        i += 8;
    }
    while (i < len && (unsigned char)p[i] >= 0x20 && (unsigned char)p[i] < 0x80 && p[i] != '"' &&
           p[i] != '\\')
        i++;
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

static void append_string(struct buf *out, const char *p, size_t len) {
    buf_reserve(out, len + 3);
    buf_append_char(out, '"');
    size_t i = 0;
    while (i < len) {
        size_t run = plain_run(p + i, len - i);
        buf_append(out, p + i, run);
        i += run;
        if (i == len)
            break;
        unsigned char c = (unsigned char)p[i];
        if (c < 0x80) {
            append_escape(out, c);
            i++;
            continue;
        }
        size_t sequence = utf8_sequence(p + i, len - i);
        if (sequence > 0) {
            buf_append(out, p + i, sequence);
            i += sequence;
        } else {
            buf_append_str(out, "\xef\xbf\xbd");
            i++;
        }
    }
    buf_append_char(out, '"');
}

static void before_value(struct jsonw *w) {
    if (w->comma)
        buf_append_char(w->out, ',');
    w->comma = true;
}

static void open_with(struct jsonw *w, char c) {
    before_value(w);
    buf_append_char(w->out, c);
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

void jsonw_key(struct jsonw *w, const char *key) {
    before_value(w);
    append_string(w->out, key, strlen(key));
    buf_append_char(w->out, ':');
    w->comma = false;
}

void jsonw_str(struct jsonw *w, struct str value) {
    before_value(w);
    append_string(w->out, value.p, value.len);
}

void jsonw_cstr(struct jsonw *w, const char *value) {
    if (value == NULL)
        jsonw_null(w);
    else
        jsonw_str(w, str_of(value));
}

void jsonw_i64(struct jsonw *w, int64_t value) {
    before_value(w);
    buf_append_i64(w->out, value);
}

void jsonw_bool(struct jsonw *w, bool value) {
    before_value(w);
    buf_append_str(w->out, value ? "true" : "false");
}

void jsonw_null(struct jsonw *w) {
    before_value(w);
    buf_append_str(w->out, "null");
}

void jsonw_raw(struct jsonw *w, struct str json) {
    before_value(w);
    buf_append(w->out, json.p, json.len);
}

void jsonw_kstr(struct jsonw *w, const char *key, struct str value) {
    jsonw_key(w, key);
    jsonw_str(w, value);
}

void jsonw_kcstr(struct jsonw *w, const char *key, const char *value) {
    jsonw_key(w, key);
    jsonw_cstr(w, value);
}

void jsonw_ki64(struct jsonw *w, const char *key, int64_t value) {
    jsonw_key(w, key);
    jsonw_i64(w, value);
}

void jsonw_kbool(struct jsonw *w, const char *key, bool value) {
    jsonw_key(w, key);
    jsonw_bool(w, value);
}
