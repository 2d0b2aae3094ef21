#include "json_strict.h"

static bool too_deep(struct str text) {
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > AUTH_JSON_MAX_DEPTH)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

json_t *auth_json_read(struct str text, enum json_error_code *code) {
    enum json_error_code ignored;
    json_error_t error;
    json_t *value;

    if (!code)
        code = &ignored;
    *code = json_error_stack_overflow;
    if (too_deep(text))
        return NULL;
    value = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    *code = value ? json_error_wrong_type : json_error_code(&error);
    if (!json_is_object(value)) {
        json_decref(value);
        return NULL;
    }
    return value;
}

struct str auth_json_str(const json_t *string) {
    return (struct str){json_string_value(string), json_string_length(string)};
}

bool auth_json_is(const json_t *value, const char *text) {
    return json_is_string(value) && str_eqz(auth_json_str(value), text);
}
