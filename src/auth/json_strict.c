#include "json_strict.h"

#include "wslock/base/jsonw.h"

json_t *auth_json_read(struct str text, enum json_error_code *code) {
    enum json_error_code ignored;
    json_error_t error;
    json_t *value;

    if (!code)
        code = &ignored;
    *code = json_error_stack_overflow;
    if (!json_depth_ok(text))
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
