/* Reads and writes a claim by its name or JSON pointer. */
#include "claim_path.h"

#include <string.h>

#include "wslock/base/buf.h"

/* The next reference token, unescaped, NUL-terminated; *path moves after it. */
static const char *next_token(const char **path, struct buf *out) {
    const char *p = *path + 1;

    buf_reset(out);
    for (; *p && *p != '/'; p++) {
        if (*p == '~') {
            buf_append_char(out, *++p == '0' ? '~' : '/');
        } else {
            buf_append_char(out, *p);
        }
    }
    *path = p;
    return buf_cstr(out);
}

/* RFC 6901 §4: digits without a leading zero. */
static const json_t *array_element(const json_t *array, const char *token) {
    size_t index = 0;

    if (!*token || (token[0] == '0' && token[1]) || strlen(token) > 9) {
        return NULL;
    }
    for (const char *p = token; *p; p++) {
        if (*p < '0' || *p > '9') {
            return NULL;
        }
        index = index * 10 + (size_t)(*p - '0');
    }
    return json_array_get(array, index);
}

const json_t *auth_claim_get(const json_t *claims, const char *path) {
    const json_t *value = claims;
    struct buf token;

    if (*path != '/') {
        return json_object_get(claims, path);
    }
    buf_init(&token);
    while (value != NULL && *path) {
        const char *text = next_token(&path, &token);

        value = json_is_array(value) ? array_element(value, text) : json_object_get(value, text);
    }
    buf_fini(&token);
    return value;
}

bool auth_claim_put(json_t *claims, const char *path, json_t *value) {
    json_t *at = claims;
    struct buf token;
    bool ok;

    if (auth_claim_get(claims, path) != NULL) {
        json_decref(value);
        return false;
    }
    if (*path != '/') {
        return json_object_set_new(claims, path, value) == 0;
    }
    buf_init(&token);
    for (;;) {
        const char *text = next_token(&path, &token);
        json_t *inner;

        if (!*path) {
            ok = json_object_set(at, text, value) == 0;
            break;
        }
        inner = json_object_get(at, text);
        if (inner == NULL && json_object_set_new(at, text, json_object()) == 0) {
            inner = json_object_get(at, text);
        }
        ok = json_is_object(inner);
        if (!ok) {
            break;
        }
        at = inner;
    }
    json_decref(value);
    buf_fini(&token);
    return ok;
}
