/* Makes a verification key from a JSON Web Key. */
#include "jwk.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>

#include "wslock/base/buf.h"
#include "wslock/base/jsonr.h"

#include "b64.h"

#define MAX_KID_BYTES 1024

/* A member in base64url. */
static bool read_bytes(const json_t *jwk, const char *name, struct buf *out) {
    const json_t *value = json_object_get(jwk, name);

    return json_is_string(value) && auth_b64_decode(jsonr_str(value), out) && out->len > 0;
}

static EVP_PKEY *pkey_from_params(const char *kind, OSSL_PARAM_BLD *bld) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY *pkey = NULL;

    if (ctx != NULL && params != NULL && EVP_PKEY_fromdata_init(ctx) == 1) {
        (void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    }
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static EVP_PKEY *read_rsa(const json_t *jwk) {
    struct buf n, e;
    BIGNUM *modulus = NULL, *exponent = NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;

    buf_init(&n);
    buf_init(&e);
    /* An exponent of more than 64 bits would only make verification slow. */
    if (bld == NULL || !read_bytes(jwk, "n", &n) || !read_bytes(jwk, "e", &e) || e.len > 8 ||
        n.len > AUTH_RSA_MAX_BITS / 8 + 1) {
        goto done;
    }
    modulus = BN_bin2bn((unsigned char *)n.data, (int)n.len, NULL);
    exponent = BN_bin2bn((unsigned char *)e.data, (int)e.len, NULL);
    if (modulus != NULL && exponent != NULL &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
        pkey = pkey_from_params("RSA", bld);
    }
done:
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(bld);
    buf_fini(&n);
    buf_fini(&e);
    return pkey;
}

static EVP_PKEY *read_ec(const json_t *jwk, enum auth_alg alg) {
    const struct auth_alg_info *info = auth_alg_info(alg);
    struct buf point;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;

    buf_init(&point);
    buf_append_char(&point, 4); /* SEC 1 §2.3.3: uncompressed */
    if (bld != NULL && read_bytes(jwk, "x", &point) && point.len == 1 + info->size_bytes / 2 &&
        read_bytes(jwk, "y", &point) && point.len == 1 + info->size_bytes &&
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, info->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len) ==
            1) {
        pkey = pkey_from_params("EC", bld);
    }
    OSSL_PARAM_BLD_free(bld);
    buf_fini(&point);
    return pkey;
}

static EVP_PKEY *read_okp(const json_t *jwk) {
    struct buf x;
    EVP_PKEY *pkey = NULL;

    buf_init(&x);
    if (read_bytes(jwk, "x", &x)) {
        pkey =
            EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, (unsigned char *)x.data, x.len);
    }
    buf_fini(&x);
    return pkey;
}

static struct auth_key *read_oct(const json_t *jwk, enum auth_alg alg, const char *kid,
                                 const char **why) {
    struct buf secret;
    struct auth_key *key = NULL;

    buf_init(&secret);
    if (read_bytes(jwk, "k", &secret)) {
        key = auth_key_create_secret(alg, kid, (struct str){secret.data, secret.len}, why);
    } else {
        *why = "`k` is missing or malformed";
    }
    buf_fini_secret(&secret);
    return key;
}

static const char *check_purpose(const json_t *jwk) {
    const json_t *use = json_object_get(jwk, "use");
    const json_t *ops = json_object_get(jwk, "key_ops");

    if (use != NULL && !jsonr_is(use, "sig")) {
        return "`use` is not `sig`";
    }
    if (ops == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(ops); i++) {
        if (jsonr_is(json_array_get(ops, i), "verify")) {
            return NULL;
        }
    }
    return "`key_ops` does not have `verify`";
}

static const char *check_kid(const json_t *kid) {
    if (kid == NULL) {
        return NULL;
    }
    if (!json_is_string(kid) || json_string_length(kid) > MAX_KID_BYTES ||
        strlen(json_string_value(kid)) != json_string_length(kid)) {
        return "`kid` is not a text, or too long";
    }
    return NULL;
}

/* The one algorithm of the curve, AUTH_ALG_NONE for other curves. */
static enum auth_alg alg_of_curve(const json_t *jwk, const json_t *kty) {
    const json_t *crv = json_object_get(jwk, "crv");

    if (jsonr_is(kty, "OKP")) {
        return jsonr_is(crv, "Ed25519") ? AUTH_ALG_EDDSA : AUTH_ALG_NONE;
    }
    if (jsonr_is(crv, "P-256")) {
        return AUTH_ALG_ES256;
    }
    return jsonr_is(crv, "P-384") ? AUTH_ALG_ES384 : AUTH_ALG_NONE;
}

/* The algorithm that the key is bound to; AUTH_ALG_NONE with *why if there is none. */
static enum auth_alg bind_alg(const json_t *jwk, const struct auth_jwk_defaults *defaults,
                              const char **why) {
    const json_t *kty = json_object_get(jwk, "kty");
    const json_t *named = json_object_get(jwk, "alg");
    enum auth_alg alg = AUTH_ALG_NONE;
    bool fits = false;

    *why = "`alg` is not an algorithm that is verified, or not for the key's kind and curve";
    if (named != NULL) {
        alg = json_is_string(named) ? auth_alg_parse(jsonr_str(named)) : AUTH_ALG_NONE;
        if (alg == AUTH_ALG_NONE) {
            return AUTH_ALG_NONE;
        }
    }
    if (jsonr_is(kty, "EC") || jsonr_is(kty, "OKP")) {
        enum auth_alg only = alg_of_curve(jwk, kty);

        if (only == AUTH_ALG_NONE) {
            *why = "the curve is not P-256, P-384 or Ed25519";
        }
        return named != NULL && alg != only ? AUTH_ALG_NONE : only;
    }
    if (jsonr_is(kty, "RSA")) {
        alg = named != NULL ? alg : defaults->rsa;
        fits = auth_alg_is_rsa(alg);
    } else if (jsonr_is(kty, "oct")) {
        alg = named != NULL ? alg : defaults->oct;
        fits = alg != AUTH_ALG_NONE && auth_alg_info(alg)->family == AUTH_FAMILY_HMAC;
    } else {
        *why = "`kty` is not EC, OKP, RSA or oct";
    }
    if (alg == AUTH_ALG_NONE && named == NULL && (jsonr_is(kty, "RSA") || jsonr_is(kty, "oct"))) {
        *why = "the key names no `alg`, and more than one could be meant, or none";
    }
    return fits ? alg : AUTH_ALG_NONE;
}

EVP_PKEY *auth_jwk_pkey(const json_t *jwk) {
    const json_t *kty = json_object_get(jwk, "kty");
    enum auth_alg only;

    if (jsonr_is(kty, "RSA")) {
        return read_rsa(jwk);
    }
    if (!jsonr_is(kty, "EC") && !jsonr_is(kty, "OKP")) {
        return NULL;
    }
    only = alg_of_curve(jwk, kty);
    if (only == AUTH_ALG_NONE) {
        return NULL;
    }
    return only == AUTH_ALG_EDDSA ? read_okp(jwk) : read_ec(jwk, only);
}

struct auth_key *auth_jwk_read(const json_t *jwk, const struct auth_jwk_defaults *defaults,
                               const char **why) {
    const json_t *kid_json = json_object_get(jwk, "kid");
    const char *kid = json_string_value(kid_json);
    EVP_PKEY *pkey = NULL;
    struct auth_key *key = NULL;
    enum auth_alg alg;

    if (!json_is_object(jwk)) {
        *why = "not a JSON object";
        return NULL;
    }
    *why = check_kid(kid_json);
    if (*why == NULL) {
        *why = check_purpose(jwk);
    }
    if (*why != NULL) {
        return NULL;
    }
    alg = bind_alg(jwk, defaults, why);
    if (alg == AUTH_ALG_NONE) {
        return NULL;
    }

    if (auth_alg_info(alg)->family == AUTH_FAMILY_HMAC) {
        if (defaults->public_only) {
            *why = "a secret in a key set that others can read";
            return NULL;
        }
        return read_oct(jwk, alg, kid, why);
    }
    pkey = auth_jwk_pkey(jwk);
    if (pkey != NULL) {
        key = auth_key_create_public(alg, kid, pkey, defaults->checked, why);
    } else {
        *why = "the key's numbers are missing or malformed";
    }
    ERR_clear_error();
    EVP_PKEY_free(pkey);
    return key;
}
