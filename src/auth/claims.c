#include "claims.h"

#include <math.h>

#include "wslock/base/jsonr.h"
#include "wslock/base/mem.h"

#include "claim_path.h"

/* 9999-12-31T23:59:59Z; what is later was meant as milliseconds. */
#define MAX_UNIX_SECONDS 253402300799.0

/* Length of the control character (C0, DEL, C1) that starts there; 0 if none does. */
static size_t control_length(struct str s, size_t i) {
    unsigned char c = (unsigned char)s.p[i];

    if (c < 0x20 || c == 0x7f)
        return 1;
    return c == 0xc2 && i + 1 < s.len && (unsigned char)s.p[i + 1] < 0xa0 ? 2 : 0;
}

static bool has_control(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (control_length(s, i))
            return true;
    return false;
}

/* NumericDate (RFC 7519 §2): seconds, perhaps with a fraction. Absent is fine, and leaves *out_ms.
 */
static bool read_time(const json_t *claims, const char *name, int64_t *out_ms) {
    const json_t *value = json_object_get(claims, name);
    double seconds;

    if (!value)
        return true;
    if (!json_is_number(value))
        return false;
    seconds = json_number_value(value);
    if (!(seconds >= 0 && seconds <= MAX_UNIX_SECONDS))
        return false;
    *out_ms = (int64_t)floor(seconds * 1000);
    return true;
}

/* A text without control characters, or nothing. */
static bool read_text(const json_t *value, char **out) {
    struct str text;

    if (!value)
        return true;
    if (!json_is_string(value))
        return false;
    text = jsonr_str(value);
    if (has_control(text))
        return false;
    *out = str_dup(text);
    return true;
}

static bool audience_matches(const json_t *aud, const struct config_strings *wanted) {
    if (json_is_string(aud)) {
        for (size_t i = 0; i < wanted->count; i++)
            if (jsonr_is(aud, wanted->items[i]))
                return true;
        return false;
    }
    for (size_t i = 0; i < json_array_size(aud); i++)
        if (audience_matches(json_array_get(aud, i), wanted))
            return true;
    return false;
}

static const char *check_audience(const json_t *claims, const struct config_strings *wanted) {
    const json_t *aud = json_object_get(claims, "aud");

    if (aud && !json_is_string(aud) && !json_is_array(aud))
        return "aud is neither a text nor a list of texts";
    for (size_t i = 0; i < json_array_size(aud); i++)
        if (!json_is_string(json_array_get(aud, i)))
            return "aud is neither a text nor a list of texts";
    if (wanted->count > 0 && !audience_matches(aud, wanted))
        return "aud names none of the configured audiences";
    return NULL;
}

static const char *read_user(const json_t *claims, const struct auth_claim_rules *rules,
                             struct auth_identity *id) {
    const json_t *user = auth_claim_get(claims, rules->user_id_path);
    const json_t *name = auth_claim_get(claims, rules->username_path);
    struct str text;

    if (!json_is_string(user))
        return "the user id is missing or not a text";
    text = jsonr_str(user);
    if (text.len == 0 || text.len > AUTH_MAX_NAME_BYTES || has_control(text))
        return "the user id is empty, over 256 bytes, or has control characters";
    id->user_id = str_dup(text);

    if (name && !json_is_null(name) && !json_is_string(name))
        return "the user's name is not a text";
    if (!json_is_string(name) || json_string_length(name) == 0) {
        id->username = str_dup(text);
        return NULL;
    }
    text = jsonr_str(name);
    if (text.len > AUTH_MAX_NAME_BYTES)
        return "the user's name is over 256 bytes";
    id->username = mem_alloc(text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        size_t control = control_length(text, i);

        id->username[len++] = text.p[i];
        if (control > 0) {
            id->username[len - 1] = ' ';
            i += control - 1;
        }
    }
    id->username[len] = '\0';
    return NULL;
}

static const char *add_role(struct auth_identity *id, const json_t *value) {
    struct str text;

    if (!json_is_string(value))
        return "the roles are not a list of texts";
    text = jsonr_str(value);
    if (text.len == 0 || has_control(text))
        return "a role is empty or has control characters";
    id->roles[id->role_count++] = str_dup(text);
    return NULL;
}

/* A list of texts; one text is one role, since some issuers unwrap lists of one. */
static const char *read_roles(const json_t *claims, const struct auth_claim_rules *rules,
                              struct auth_identity *id) {
    const json_t *roles = auth_claim_get(claims, rules->roles_path);
    const char *why = NULL;
    size_t count = json_array_size(roles);

    if (!roles || json_is_null(roles))
        return NULL;
    if (count > AUTH_MAX_ROLES)
        return "more than 64 roles";
    id->roles = mem_calloc(count > 0 ? count : 1, sizeof *id->roles);
    if (!json_is_array(roles))
        return add_role(id, roles);
    for (size_t i = 0; !why && i < count; i++)
        why = add_role(id, json_array_get(roles, i));
    return why;
}

/* Everything but whether it is expired. */
static const char *read_claims(const json_t *claims, const struct auth_claim_rules *rules,
                               int64_t now_unix_ms, struct auth_identity *id) {
    int64_t expires_ms = -1, not_before_ms = 0, issued_ms = 0;
    const char *why;

    if (!read_time(claims, "exp", &expires_ms) || expires_ms < 0)
        return "exp is missing, not a number, or out of range";
    if (!read_time(claims, "nbf", &not_before_ms))
        return "nbf is not a number, or out of range";
    if (!read_time(claims, "iat", &issued_ms))
        return "iat is not a number, or out of range";
    if (!read_text(json_object_get(claims, "iss"), &id->issuer))
        return "iss is not a text";
    if (!read_text(json_object_get(claims, "jti"), &id->token_id))
        return "jti is not a text";
    if (rules->issuer && !str_eq(str_of(id->issuer), str_of(rules->issuer)))
        return "iss is not the configured issuer";
    why = check_audience(claims, &rules->audience);
    if (!why)
        why = read_user(claims, rules, id);
    if (!why)
        why = read_roles(claims, rules, id);
    if (why)
        return why;
    if (not_before_ms > now_unix_ms + rules->clock_skew_ms)
        return "nbf: not valid yet";
    id->admin = auth_identity_has_role(id, &rules->admin_roles);
    id->issued_unix_ms = issued_ms;
    id->expires_unix_ms = expires_ms;
    id->deadline_unix_ms = expires_ms + rules->clock_skew_ms;
    return NULL;
}

enum auth_result auth_claims_read(const json_t *claims, const struct auth_claim_rules *rules,
                                  int64_t now_unix_ms, struct auth_identity **identity,
                                  const char **why) {
    struct auth_identity *id = mem_zalloc(sizeof *id);
    enum auth_result result = AUTH_OK;

    *why = read_claims(claims, rules, now_unix_ms, id);
    if (*why) {
        result = AUTH_INVALID;
    } else if (now_unix_ms >= id->deadline_unix_ms) {
        *why = "exp: expired";
        result = AUTH_EXPIRED;
    }
    if (result == AUTH_OK)
        *identity = id;
    else
        auth_identity_destroy(&id);
    return result;
}

void auth_identity_destroy(struct auth_identity **identity) {
    struct auth_identity *id = *identity;

    if (!id)
        return;
    for (size_t i = 0; i < id->role_count; i++)
        mem_free(id->roles[i]);
    mem_free(id->roles);
    mem_free(id->user_id);
    mem_free(id->username);
    mem_free(id->token_id);
    mem_free(id->issuer);
    mem_free(id);
    *identity = NULL;
}

bool auth_identity_has_role(const struct auth_identity *id, const struct config_strings *roles) {
    for (size_t i = 0; i < id->role_count; i++)
        for (size_t j = 0; j < roles->count; j++)
            if (str_eqz(str_of(id->roles[i]), roles->items[j]))
                return true;
    return false;
}
