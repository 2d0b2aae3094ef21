/* Reads the usual form of a message in one pass. */
#include "plain.h"

#include <string.h>

#define DIGITS_MAX 18 /* always fits into int64_t */

struct reader {
    const char *at, *end;
};

/* The next byte that is not white space; NUL at the end of the text. */
static char peek(struct reader *r) {
    while (r->at < r->end &&
           (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')) {
        r->at++;
    }
    if (r->at == r->end) {
        return '\0';
    }
    return *r->at;
}

static bool take(struct reader *r, char c) {
    if (peek(r) != c) {
        return false;
    }
    r->at++;
    return true;
}

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static bool read_string(struct reader *r, struct str *out) {
    if (!take(r, '"')) {
        return false;
    }
    out->p = r->at;
    while (r->at < r->end && is_plain((unsigned char)*r->at)) {
        r->at++;
    }
    out->len = (size_t)(r->at - out->p);
    return r->at < r->end && *r->at++ == '"';
}

static bool is_digit(const struct reader *r) {
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static bool read_integer(struct reader *r, int64_t *out) {
    const char *begin = r->at;
    *out = 0;
    for (; is_digit(r); r->at++) {
        if (r->at - begin >= DIGITS_MAX) {
            return false;
        }
        *out = *out * 10 + (*r->at - '0');
    }
    bool whole = r->at == r->end || (*r->at != '.' && *r->at != 'e' && *r->at != 'E');
    return whole && r->at > begin && (*begin != '0' || r->at == begin + 1);
}

static bool take_word(struct reader *r, const char *word) {
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0) {
        return false;
    }
    r->at += len;
    return true;
}

static bool read_value(struct reader *r, struct value *out) {
    char c = peek(r);
    *out = (struct value){.kind = VALUE_ABSENT};
    if (c == '"') {
        out->kind = VALUE_STRING;
        return read_string(r, &out->text);
    }
    if (c == 't' || c == 'f') {
        out->kind = VALUE_BOOL;
        out->boolean = c == 't';
        return take_word(r, out->boolean ? "true" : "false");
    }
    if (c == 'n') {
        return take_word(r, "null");
    }
    out->kind = VALUE_INTEGER;
    return read_integer(r, &out->integer);
}

static bool has_field(const struct plain_message *m, struct str name) {
    for (size_t i = 0; i < m->count; i++) {
        if (str_eq(m->fields[i].name, name)) {
            return true;
        }
    }
    return false;
}

static bool read_data(struct reader *r, struct plain_message *out) {
    if (!take(r, '{')) {
        return false;
    }
    if (take(r, '}')) {
        return true;
    }
    do {
        struct plain_field *f = &out->fields[out->count];
        struct str name;
        if (out->count == PLAIN_FIELDS_MAX || !read_string(r, &name) || has_field(out, name) ||
            !take(r, ':') || !read_value(r, &f->value)) {
            return false;
        }
        f->name = name;
        out->count++;
    } while (take(r, ','));
    return take(r, '}');
}

static bool read_id(struct reader *r, struct str *out) {
    struct value value;
    (void)peek(r);
    out->p = r->at;
    if (!read_value(r, &value) || value.kind == VALUE_ABSENT || value.kind == VALUE_BOOL) {
        return false;
    }
    out->len = (size_t)(r->at - out->p);
    return out->len <= PLAIN_ID_MAX && (value.kind == VALUE_INTEGER || value.text.len > 0);
}

bool plain_read(struct str text, struct plain_message *out) {
    struct reader r = {text.p, text.len > 0 ? text.p + text.len : text.p};
    bool has_event = false, has_id = false, has_data = false;
    out->id.len = out->count = 0;
    if (!take(&r, '{')) {
        return false;
    }
    do {
        struct str name;
        bool ok = false;
        if (!read_string(&r, &name) || !take(&r, ':')) {
            return false;
        }
        if (str_eqz(name, "event") && !has_event) {
            ok = has_event = read_string(&r, &out->event);
        } else if (str_eqz(name, "id") && !has_id) {
            ok = has_id = read_id(&r, &out->id);
        } else if (str_eqz(name, "data") && !has_data) {
            ok = has_data = read_data(&r, out);
        }
        if (!ok) {
            return false;
        }
    } while (take(&r, ','));
    return take(&r, '}') && peek(&r) == '\0' && r.at == r.end && has_event;
}

bool plain_read_array(struct str text, struct plain_message *out) {
    struct reader r = {text.p, text.len > 0 ? text.p + text.len : text.p};
    out->id.len = out->count = 0;
    if (!take(&r, '[') || !read_string(&r, &out->event) || (take(&r, ',') && !read_data(&r, out))) {
        return false;
    }
    return take(&r, ']') && peek(&r) == '\0' && r.at == r.end;
}

struct value plain_find(const void *data, const char *name) {
    const struct plain_message *m = data;
    for (size_t i = 0; i < m->count; i++) {
        if (str_eqz(m->fields[i].name, name)) {
            return m->fields[i].value;
        }
    }
    return (struct value){.kind = VALUE_ABSENT};
}
