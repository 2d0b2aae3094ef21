#include "wslock/auth/sign.h"

#include <jansson.h>
#include <jwt.h>
#include <stdlib.h>

#include "wslock/base/mem.h"

#include "alg.h"
#include "claim_path.h"
#include "claims.h"
#include "keyfiles.h"
#include "keystore.h"

const struct config_key *sign_find_key(const struct config *config) {
    for (size_t i = 0; i < config->auth.key_count; i++) {
        const struct config_key *key = &config->auth.keys[i];
        enum auth_alg alg = auth_alg_parse(str_of(key->alg));

        if (key->secret_file && alg != AUTH_ALG_NONE &&
            auth_alg_info(alg)->family == AUTH_FAMILY_HMAC &&
            auth_alg_allowed(&config->auth.algorithms, alg))
            return key;
    }
    return NULL;
}

static bool put_roles(json_t *claims, const char *path, const struct sign_request *request) {
    json_t *roles = json_array();

    for (size_t i = 0; i < request->role_count; i++)
        if (json_array_append_new(roles, json_string(request->roles[i])) != 0) {
            json_decref(roles);
            return false;
        }
    return auth_claim_put(claims, path, roles);
}

/* NULL where a text is no UTF-8, or two of the configured places exclude each other. */
static json_t *make_claims(const struct config *config, const struct sign_request *request) {
    json_t *claims = json_object();
    int64_t issued = request->issued_unix_ms / 1000;
    int64_t expires = (request->issued_unix_ms + request->ttl_ms + 999) / 1000;
    bool ok = json_object_set_new(claims, "iat", json_integer(issued)) == 0 &&
              json_object_set_new(claims, "exp", json_integer(expires)) == 0;

    if (config->auth.issuer)
        ok = ok && json_object_set_new(claims, "iss", json_string(config->auth.issuer)) == 0;
    if (config->auth.audience.count > 0)
        ok = ok &&
             json_object_set_new(claims, "aud", json_string(config->auth.audience.items[0])) == 0;
    ok = ok && auth_claim_put(claims, config->auth.claim_user_id, json_string(request->user_id));
    if (request->username)
        ok = ok &&
             auth_claim_put(claims, config->auth.claim_username, json_string(request->username));
    if (request->role_count > 0)
        ok = ok && put_roles(claims, config->auth.claim_roles, request);
    if (!ok) {
        json_decref(claims);
        return NULL;
    }
    return claims;
}

/* What auth_verify would say against these claims; NULL: nothing. */
static const char *refusal(const struct config *config, const struct sign_request *request,
                           const json_t *claims) {
    const struct auth_claim_rules rules = {
        .issuer = config->auth.issuer,
        .audience = config->auth.audience,
        .user_id_path = config->auth.claim_user_id,
        .username_path = config->auth.claim_username,
        .roles_path = config->auth.claim_roles,
    };
    struct auth_identity *identity = NULL;
    const char *why = NULL;

    if (auth_claims_read(claims, &rules, request->issued_unix_ms, &identity, &why) == AUTH_OK)
        why = NULL;
    auth_identity_destroy(&identity);
    return why;
}

static char *encode(const char *claims, const struct config_key *key, struct str secret) {
    jwt_t *jwt = NULL;
    char *text = NULL;
    char *token = NULL;

    if (jwt_new(&jwt) != 0)
        return NULL;
    if (jwt_add_grants_json(jwt, claims) == 0 &&
        (!key->kid || jwt_add_header(jwt, "kid", key->kid) == 0) &&
        jwt_set_alg(jwt, jwt_str_alg(key->alg), (const unsigned char *)secret.p, (int)secret.len) ==
            0)
        text = jwt_encode_str(jwt);
    if (text) {
        token = mem_strdup(text);
        free(text); /* libjwt's, which uses malloc */
    }
    jwt_free(jwt);
    return token;
}

char *sign_token(const struct config *config, const struct config_key *key,
                 const struct sign_request *request, char **problem) {
    json_t *claims = make_claims(config, request);
    const char *why = claims ? refusal(config, request, claims)
                             : "a text is not valid UTF-8, or auth.claims has two in one place";
    char *text = why ? NULL : json_dumps(claims, JSON_COMPACT);
    char *token = NULL;
    struct buf secret;

    buf_init(&secret);
    if (why) {
        *problem = mem_strdup(why);
    } else if (!auth_secret_read(auth_alg_parse(str_of(key->alg)), key->secret_file, &secret,
                                 &why)) {
        *problem = mem_printf("%s: %s: %s", "secret", key->secret_file, why);
    } else {
        token = encode(text, key, (struct str){secret.data, secret.len});
        if (!token)
            *problem = mem_strdup("the token could not be signed");
    }
    buf_fini_secret(&secret);
    free(text);
    json_decref(claims);
    return token;
}
