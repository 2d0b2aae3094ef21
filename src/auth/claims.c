/* Checks claims and makes an identity of them. */
#include "claims.h"

#include <math.h>
#include <stdio.h>

#include "wslock/base/jsonr.h"
#include "wslock/base/mem.h"

#include "claim_path.h"
#include "name.h"

/* 9999-12-31T23:59:59Z; a later time is probably in milliseconds. */
#define MAX_UNIX_SECONDS 253402300799.0

/* An optional claim; `null` counts as absent. */
static const json_t *optional(const json_t *claim) {
    return json_is_null(claim) ? NULL : claim;
}

/* NumericDate (RFC 7519 §2): seconds, perhaps with a fraction. Absent is fine, and leaves *out_ms.
 */
static bool read_time(const json_t *claims, const char *name, int64_t *out_ms) {
    const json_t *value = optional(json_object_get(claims, name));
    double seconds;

    if (value == NULL) {
        return true;
    }
    if (!json_is_number(value)) {
        return false;
    }
    seconds = json_number_value(value);
    if (!(seconds >= 0 && seconds <= MAX_UNIX_SECONDS)) {
        return false;
    }
    *out_ms = (int64_t)floor(seconds * 1000);
    return true;
}

/* An optional text without control characters. */
static bool read_text(const json_t *value, char **out) {
    struct str text;

    if (value == NULL) {
        return true;
    }
    if (!json_is_string(value)) {
        return false;
    }
    text = jsonr_str(value);
    if (auth_text_has_control(text)) {
        return false;
    }
    *out = str_dup(text);
    return true;
}

bool auth_is_one_of(struct str text, const struct config_strings *set) {
    for (size_t i = 0; i < set->count; i++) {
        if (str_eqz(text, set->items[i])) {
            return true;
        }
    }
    return false;
}

static bool audience_matches(const json_t *aud, const struct config_strings *wanted) {
    if (json_is_string(aud)) {
        return auth_is_one_of(jsonr_str(aud), wanted);
    }
    for (size_t i = 0; i < json_array_size(aud); i++) {
        if (audience_matches(json_array_get(aud, i), wanted)) {
            return true;
        }
    }
    return false;
}

static const char *check_audience(const json_t *claims, const struct config_strings *wanted) {
    const json_t *aud = optional(json_object_get(claims, "aud"));

    if (aud != NULL && !json_is_string(aud) && !json_is_array(aud)) {
        return "aud is neither a text nor a list of texts";
    }
    for (size_t i = 0; i < json_array_size(aud); i++) {
        if (!json_is_string(json_array_get(aud, i))) {
            return "aud is neither a text nor a list of texts";
        }
    }
    if (wanted->count > 0 && !audience_matches(aud, wanted)) {
        return "aud names none of the configured audiences";
    }
    return NULL;
}

/* The user id, unchanged: ids are compared byte by byte. An integer is written in digits. */
static const char *read_user_id(const json_t *user, struct auth_identity *id) {
    char digits[24];
    struct str text = jsonr_str(user);

    if (json_is_integer(user)) {
        (void)snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(user));
        text = str_of(digits);
    } else if (!json_is_string(user)) {
        return "the user id is missing, or neither a text nor an integer";
    }
    if (text.len == 0 || text.len > AUTH_MAX_NAME_BYTES || auth_text_has_control(text)) {
        return "the user id is empty, over 256 bytes, or has control characters";
    }
    if (auth_text_is_blank(text)) {
        return "the user id is blank";
    }
    id->user_id = str_dup(text);
    return NULL;
}

static const char *read_username(const json_t *name, struct auth_identity *id) {
    struct str text = jsonr_str(name);
    struct buf shown;

    if (name != NULL && !json_is_string(name)) {
        return "the user's name is not a text";
    }
    buf_init(&shown);
    id->name_note = auth_name_append(&shown, text);
    if (auth_text_is_blank((struct str){shown.data, shown.len})) {
        id->name_note =
            text.len > 0 ? "the display name is blank: the user id stands for it" : NULL;
        buf_reset(&shown);
        (void)auth_name_append(&shown, str_of(id->user_id));
    }
    id->username = mem_strdup(buf_cstr(&shown));
    buf_fini(&shown);
    return NULL;
}

static bool is_kept(const struct auth_identity *id, struct str role) {
    for (size_t i = 0; i < id->role_count; i++) {
        if (str_eqz(role, id->roles[i])) {
            return true;
        }
    }
    return false;
}

/* Adds the role, once, if the configuration names it. */
static const char *add_role(const struct auth_claim_rules *rules, struct auth_identity *id,
                            const json_t *value) {
    struct str text = jsonr_str(value);

    if (!json_is_string(value)) {
        return "the roles are not a list of texts";
    }
    if (text.len == 0 || auth_text_has_control(text)) {
        return "a role is empty or has control characters";
    }
    if (!auth_is_one_of(text, &rules->known_roles) || is_kept(id, text)) {
        return NULL;
    }
    id->roles = mem_realloc(id->roles, (id->role_count + 1) * sizeof *id->roles);
    id->roles[id->role_count++] = str_dup(text);
    return NULL;
}

/* A list of texts, or one text: some issuers unwrap lists of one. */
static const char *read_roles(const json_t *roles, const struct auth_claim_rules *rules,
                              struct auth_identity *id) {
    const char *why = NULL;

    if (roles == NULL) {
        return NULL;
    }
    if (!json_is_array(roles)) {
        return add_role(rules, id, roles);
    }
    for (size_t i = 0; why == NULL && i < json_array_size(roles); i++) {
        why = add_role(rules, id, json_array_get(roles, i));
    }
    return why;
}

/* Reads user id, name and roles from the configured claims. */
static const char *read_person(const json_t *claims, const struct auth_claim_rules *rules,
                               struct auth_identity *id) {
    const char *why = read_user_id(auth_claim_get(claims, rules->user_id_path), id);

    if (why == NULL) {
        why = read_username(optional(auth_claim_get(claims, rules->username_path)), id);
    }
    if (why == NULL) {
        why = read_roles(optional(auth_claim_get(claims, rules->roles_path)), rules, id);
    }
    return why;
}

/* Checks everything but the expiry. */
static const char *read_claims(const json_t *claims, const struct auth_claim_rules *rules,
                               int64_t now_unix_ms, struct auth_identity *id) {
    const json_t *jti = json_object_get(claims, "jti");
    int64_t expires_ms = -1, not_before_ms = 0, issued_ms = 0;
    const char *why;

    if (!read_time(claims, "exp", &expires_ms) || expires_ms < 0) {
        return "exp is missing, not a number, or out of range";
    }
    if (!read_time(claims, "nbf", &not_before_ms)) {
        return "nbf is not a number, or out of range";
    }
    if (!read_time(claims, "iat", &issued_ms)) {
        return "iat is not a number, or out of range";
    }
    if (!read_text(optional(json_object_get(claims, "iss")), &id->issuer)) {
        return "iss is not a text, or has control characters";
    }
    if (!read_text(json_is_string(jti) ? jti : NULL, &id->token_id)) {
        return "jti has control characters";
    }
    if (rules->issuer != NULL && !str_eq(str_of(id->issuer), str_of(rules->issuer))) {
        return "iss is not the configured issuer";
    }
    why = check_audience(claims, &rules->audience);
    if (why == NULL) {
        why = read_person(claims, rules, id);
    }
    if (why != NULL) {
        return why;
    }
    if (not_before_ms > now_unix_ms + rules->clock_skew_ms) {
        return "nbf: not valid yet";
    }
    id->admin = auth_identity_has_role(id, &rules->admin_roles);
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
    if (*why != NULL) {
        result = AUTH_INVALID;
    } else if (now_unix_ms >= id->deadline_unix_ms) {
        *why = "exp: expired";
        result = AUTH_EXPIRED;
    }
    if (result == AUTH_OK) {
        *identity = id;
    } else {
        auth_identity_destroy(&id);
    }
    return result;
}

void auth_identity_destroy(struct auth_identity **identity) {
    struct auth_identity *id = *identity;

    if (id == NULL) {
        return;
    }
    for (size_t i = 0; i < id->role_count; i++) {
        mem_free(id->roles[i]);
    }
    mem_free(id->roles);
    mem_free(id->user_id);
    mem_free(id->username);
    mem_free(id->token_id);
    mem_free(id->issuer);
    mem_free(id);
    *identity = NULL;
}

bool auth_identity_has_role(const struct auth_identity *id, const struct config_strings *roles) {
    for (size_t i = 0; i < id->role_count; i++) {
        if (auth_is_one_of(str_of(id->roles[i]), roles)) {
            return true;
        }
    }
    return false;
}
