/* Claims and an HMAC signature for `wslockctl token`. */
#include "wslock/auth/sign.h"

#include <jansson.h>
#include <stdlib.h>

#include "wslock/base/jsonw.h"
#include "wslock/base/mem.h"

#include "alg.h"
#include "b64.h"
#include "claim_path.h"
#include "claims.h"
#include "keyfiles.h"
#include "keystore.h"

const struct config_key *sign_find_key(const struct config *config) {
    for (size_t i = 0; i < config->auth.key_count; i++) {
        const struct config_key *key = &config->auth.keys[i];
        enum auth_alg alg = auth_alg_parse(str_of(key->alg));

        if (key->secret_file != NULL && alg != AUTH_ALG_NONE &&
            auth_alg_info(alg)->family == AUTH_FAMILY_HMAC &&
            auth_alg_allowed(&config->auth.algorithms, alg)) {
            return key;
        }
    }
    return NULL;
}

static bool put_roles(json_t *claims, const char *path, const struct sign_request *request) {
    json_t *roles = json_array();

    for (size_t i = 0; i < request->role_count; i++) {
        if (json_array_append_new(roles, json_string(request->roles[i])) != 0) {
            json_decref(roles);
            return false;
        }
    }
    return auth_claim_put(claims, path, roles);
}

/* NULL if a text is no UTF-8, or if two configured claims exclude each other. */
static json_t *make_claims(const struct config *config, const struct sign_request *request) {
    json_t *claims = json_object();
    int64_t issued = request->issued_unix_ms / 1000;
    int64_t expires = (request->issued_unix_ms + request->ttl_ms + 999) / 1000;
    bool ok = json_object_set_new(claims, "iat", json_integer(issued)) == 0 &&
              json_object_set_new(claims, "exp", json_integer(expires)) == 0;

    if (config->auth.issuer != NULL) {
        ok = ok && json_object_set_new(claims, "iss", json_string(config->auth.issuer)) == 0;
    }
    if (config->auth.audience.count > 0) {
        ok = ok &&
             json_object_set_new(claims, "aud", json_string(config->auth.audience.items[0])) == 0;
    }
    ok = ok && auth_claim_put(claims, config->auth.claim_user_id, json_string(request->user_id));
    if (request->username != NULL) {
        ok = ok &&
             auth_claim_put(claims, config->auth.claim_username, json_string(request->username));
    }
    if (request->role_count > 0) {
        ok = ok && put_roles(claims, config->auth.claim_roles, request);
    }
    if (!ok) {
        json_decref(claims);
        return NULL;
    }
    return claims;
}

/* Why auth_verify would refuse these claims, or NULL. */
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

    if (auth_claims_read(claims, &rules, request->issued_unix_ms, &identity, &why) == AUTH_OK) {
        why = NULL;
    }
    auth_identity_destroy(&identity);
    return why;
}

static void append_header(const struct auth_key *key, struct buf *out) {
    struct buf text;
    struct jsonw w;

    buf_init(&text);
    jsonw_init(&w, &text);
    jsonw_object_open(&w);
    jsonw_kcstr(&w, "alg", auth_alg_info(key->alg)->name);
    jsonw_kcstr(&w, "typ", "JWT");
    if (key->kid != NULL) {
        jsonw_kcstr(&w, "kid", key->kid);
    }
    jsonw_object_close(&w);
    auth_b64_encode((struct str){text.data, text.len}, out);
    buf_fini(&text);
}

/* The token (heap); NULL if OpenSSL fails. */
static char *encode(const struct auth_key *key, struct str claims) {
    unsigned char signature[EVP_MAX_MD_SIZE];
    struct buf token;
    size_t len;

    buf_init(&token);
    append_header(key, &token);
    buf_append_char(&token, '.');
    auth_b64_encode(claims, &token);
    len = auth_key_hmac(key, (struct str){token.data, token.len}, signature);
    if (len == 0) {
        buf_fini(&token);
        return NULL;
    }
    buf_append_char(&token, '.');
    auth_b64_encode((struct str){(char *)signature, len}, &token);
    buf_cstr(&token);
    return token.data;
}

/* NULL with *problem (heap) if the secret cannot be read or is too short. */
static struct auth_key *read_key(const struct config_key *key, char **problem) {
    enum auth_alg alg = auth_alg_parse(str_of(key->alg));
    struct auth_key *result = NULL;
    const char *why;
    struct buf secret;

    buf_init(&secret);
    if (auth_secret_read(alg, key->secret_file, &secret, &why)) {
        result = auth_key_create_secret(alg, key->kid, (struct str){secret.data, secret.len}, &why);
    }
    buf_fini_secret(&secret);
    if (result == NULL) {
        *problem = mem_printf("secret: %s: %s", key->secret_file, why);
    }
    return result;
}

char *sign_token(const struct config *config, const struct config_key *key,
                 const struct sign_request *request, char **problem) {
    json_t *claims = make_claims(config, request);
    const char *why = claims != NULL
                          ? refusal(config, request, claims)
                          : "a text is not valid UTF-8, or auth.claims has two in one place";
    struct auth_key *secret = NULL;
    char *token = NULL;

    if (why != NULL) {
        *problem = mem_strdup(why);
    } else if ((secret = read_key(key, problem)) != NULL) {
        char *text = json_dumps(claims, JSON_COMPACT);

        token = encode(secret, str_of(text));
        free(text);
        if (token == NULL) {
            *problem = mem_strdup("the token could not be signed");
        }
    }
    auth_key_destroy(&secret);
    json_decref(claims);
    return token;
}
