/* Strict reading of JSON, over jansson. */
#include "wslock/base/jsonr.h"

/* Whether objects and arrays nest at most JSON_DEPTH_MAX deep, whatever else the text is. jansson
 * would go down to 2,048. Brackets inside strings do not count. */
static bool depth_fits(struct str text) {
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];

        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX) {
                return false;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

static enum jsonr_fault fault_of(const json_error_t *error) {
    /* jansson's codes are more than ours, and open to additions. */
    enum json_error_code code = json_error_code(error);

    if (code == json_error_duplicate_key) {
        return JSONR_NAME_TWICE;
    }
    return code == json_error_numeric_overflow ? JSONR_OUT_OF_RANGE : JSONR_NOT_AN_OBJECT;
}

/* A value of this type. */
static json_t *read_text(struct str text, json_type type, enum jsonr_fault *fault) {
    enum jsonr_fault why = JSONR_NOT_AN_OBJECT;
    json_t *value = NULL;
    json_error_t error;

    if (text.len == 0 || memchr(text.p, '\0', text.len) != NULL) {
        goto done;
    }
    if (!depth_fits(text)) {
        why = JSONR_TOO_DEEP;
        goto done;
    }
    value = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (value == NULL) {
        why = fault_of(&error);
    }
    if (value != NULL && json_typeof(value) != type) {
        json_decref(value);
        value = NULL;
    }
done:
    if (value == NULL && fault != NULL) {
        *fault = why;
    }
    return value;
}

json_t *jsonr_object(struct str text, enum jsonr_fault *fault) {
    return read_text(text, JSON_OBJECT, fault);
}

json_t *jsonr_array(struct str text, enum jsonr_fault *fault) {
    return read_text(text, JSON_ARRAY, fault);
}

struct str jsonr_str(const json_t *value) {
    return (struct str){json_string_value(value), json_string_length(value)};
}

bool jsonr_is(const json_t *value, const char *text) {
    return json_is_string(value) && str_eqz(jsonr_str(value), text);
}
