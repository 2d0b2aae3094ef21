/* Makes a display name safe to show. */
#include "name.h"

#include "wslock/auth/auth.h"

struct range {
    uint32_t first, last;
};

/* General category Cc, Zl and Zp, the property Default_Ignorable_Code_Point (Unicode 15) but for
 * variation selectors, which choose how the character before them looks, and the marks of
 * interlinear annotations. */
static const struct range HIDDEN[] = {
    {0x0, 0x1f},        {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},
    {0x61c, 0x61c},     {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180e, 0x180e},
    {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
    {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0xe0000, 0xe00ff}, {0xe01f0, 0xe0fff},
};

/* White_Space that is not hidden, the empty braille pattern, and variation selectors, which are
 * nothing by themselves. */
static const struct range BLANK[] = {
    {0x20, 0x20},     {0xa0, 0xa0},     {0x1680, 0x1680}, {0x180b, 0x180d},
    {0x180f, 0x180f}, {0x2000, 0x200a}, {0x202f, 0x202f}, {0x205f, 0x205f},
    {0x2800, 0x2800}, {0x3000, 0x3000}, {0xfe00, 0xfe0f}, {0xe0100, 0xe01ef},
};

/* What belongs to the character before it: marks, … */
static const struct range MARKS[] = {
#include "marks.def"
};

/* … the vowel AM of Thai and Lao, vowels and finals of Hangul in parts, halfwidth voiced sound
 * marks and skin tones. */
static const struct range EXTENDERS[] = {
    {0xe33, 0xe33},   {0xeb3, 0xeb3},   {0x1160, 0x11ff},
    {0xd7b0, 0xd7fb}, {0xff9e, 0xff9f}, {0x1f3fb, 0x1f3ff},
};

static bool is_in(const struct range *ranges, size_t count, uint32_t code) {
    for (size_t i = 0; i < count && ranges[i].first <= code; i++) {
        if (code <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

/* The code point at a position and its length; an invalid byte counts as hidden. */
static uint32_t code_at(struct str text, size_t at, size_t *len) {
    *len = utf8_sequence(text.p + at, text.len - at);
    if (*len > 0) {
        return utf8_code(text.p + at, *len);
    }
    *len = 1;
    return 0;
}

bool auth_text_has_control(struct str text) {
    size_t len;

    for (size_t i = 0; i < text.len; i += len) {
        uint32_t code = code_at(text, i, &len);

        if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
            return true;
        }
    }
    return false;
}

bool auth_text_is_blank(struct str text) {
    size_t len;

    for (size_t i = 0; i < text.len; i += len) {
        uint32_t code = code_at(text, i, &len);

        if (!is_in(HIDDEN, ARRAY_LEN(HIDDEN), code) && !is_in(BLANK, ARRAY_LEN(BLANK), code)) {
            return false;
        }
    }
    return true;
}

/* The start of the character that ends before `at`; at > 0. */
static size_t before(struct str text, size_t at) {
    do {
        at--;
    } while (at > 0 && ((unsigned char)text.p[at] & 0xc0) == 0x80);
    return at;
}

static bool joins_before(uint32_t code) {
    return is_in(MARKS, ARRAY_LEN(MARKS), code) || is_in(EXTENDERS, ARRAY_LEN(EXTENDERS), code);
}

/* The length to keep of a text longer than AUTH_MAX_NAME_BYTES. If the whole text is one character
 * with its marks, some marks are cut. */
static size_t cut_length(struct str text) {
    size_t whole = utf8_cut(text, AUTH_MAX_NAME_BYTES);
    size_t at = whole, len;

    while (at > 0 && joins_before(code_at(text, at, &len))) {
        at = before(text, at);
    }
    return at > 0 ? at : whole;
}

const char *auth_name_append(struct buf *out, struct str name) {
    size_t start = out->len, len;
    bool cleaned = false;

    for (size_t i = 0; i < name.len; i += len) {
        if (is_in(HIDDEN, ARRAY_LEN(HIDDEN), code_at(name, i, &len))) {
            cleaned = true;
        } else {
            buf_append(out, name.p + i, len);
        }
    }
    if (out->len - start <= AUTH_MAX_NAME_BYTES) {
        return cleaned ? "characters that must not be shown were taken out of the display name"
                       : NULL;
    }
    out->len = start + cut_length((struct str){out->data + start, out->len - start});
    return cleaned ? "the display name was cut, and characters that must not be shown were taken "
                     "out of it"
                   : "the display name was cut";
}
