/* Checks resource ids, and takes them apart. */
#include "wslock/wire/resource.h"

#include <string.h>

#define TYPE_MAX 64
#define ID_MAX 128
#define CHILD_MAX 64
#define CLIENT_ID_MIN 8
#define CLIENT_ID_MAX 64

static const char default_child[] = "main";

static bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c) {
    return is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c);
}

static bool is_type_char(char c) {
    return is_lower(c) || is_digit(c) || c == '-';
}

static bool is_name_char(char c) {
    return is_alnum(c) || c == '.' || c == '_' || c == '~' || c == '-';
}

static bool is_client_id_char(char c) {
    return is_alnum(c) || c == '_' || c == '-';
}

static bool consists_of(struct str text, size_t min, size_t max, bool (*allowed)(char)) {
    if (text.len < min || text.len > max) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!allowed(text.p[i])) {
            return false;
        }
    }
    return true;
}

/* Removes the part before the next colon from *rest; after the last part rest->p is NULL. */
static struct str cut_part(struct str *rest) {
    struct str part = *rest;
    const char *colon = rest->len > 0 ? memchr(rest->p, ':', rest->len) : NULL;

    if (colon == NULL) {
        rest->p = NULL;
        rest->len = 0;
        return part;
    }
    part.len = (size_t)(colon - rest->p);
    rest->p = colon + 1;
    rest->len -= part.len + 1;
    return part;
}

bool wire_resource_parse(struct str text, bool reject_two_parts, struct wire_resource *out) {
    out->len = 0;
    if (text.len == 0 || text.len > WIRE_RESOURCE_MAX) {
        return false;
    }
    struct str rest = text;
    struct str type = cut_part(&rest);
    if (!consists_of(type, 1, TYPE_MAX, is_type_char) || !is_lower(type.p[0]) || rest.p == NULL) {
        return false;
    }
    struct str id = cut_part(&rest);
    if (!consists_of(id, 1, ID_MAX, is_name_char)) {
        return false;
    }
    bool two_parts = rest.p == NULL;
    if (two_parts && reject_two_parts) {
        return false;
    }
    if (!two_parts && !consists_of(rest, 1, CHILD_MAX, is_name_char)) {
        return false;
    }

    struct str child = two_parts ? str_of(default_child) : rest;
    out->type_len = type.len;
    out->document_len = type.len + 1 + id.len;
    memcpy(out->text, text.p, out->document_len);
    out->text[out->document_len] = ':';
    memcpy(out->text + out->document_len + 1, child.p, child.len);
    out->len = out->document_len + 1 + child.len;
    out->text[out->len] = '\0';
    return true;
}

bool wire_client_id_valid(struct str text) {
    return consists_of(text, CLIENT_ID_MIN, CLIENT_ID_MAX, is_client_id_char);
}
