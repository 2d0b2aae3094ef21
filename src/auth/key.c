/* Verification keys: checks them and verifies signatures with OpenSSL. */
#include "key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <string.h>

#include "wslock/base/mem.h"

#include "roca.h"

#define MAX_RS_BYTES 96 /* r and s of ES384 */
#define MAX_DER_BYTES                                                                              \
    (MAX_RS_BYTES + 2 * 3 + 3) /* a SEQUENCE of two INTEGERs with sign bytes                       \
                                */

static struct auth_key *key_create(enum auth_alg alg, const char *kid) {
    struct auth_key *key = mem_zalloc(sizeof *key);

    key->alg = alg;
    key->kid = kid != NULL ? mem_strdup(kid) : NULL;
    return key;
}

struct auth_key *auth_key_create_secret(enum auth_alg alg, const char *kid, struct str secret,
                                        const char **why) {
    struct auth_key *key;

    if (secret.len < auth_alg_info(alg)->size_bytes) {
        *why = AUTH_SHORT_SECRET;
        return NULL;
    }
    key = key_create(alg, kid);
    key->secret = mem_alloc(secret.len);
    memcpy(key->secret, secret.p, secret.len);
    key->secret_len = secret.len;
    return key;
}

static const char *check_rsa(const EVP_PKEY *pkey) {
    BIGNUM *modulus = NULL;
    int bits = EVP_PKEY_get_bits(pkey);
    bool roca;

    if (bits < AUTH_RSA_MIN_BITS) {
        return "the RSA key has less than 2048 bits";
    }
    if (bits > AUTH_RSA_MAX_BITS) {
        return "the RSA key has more than 8192 bits";
    }
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &modulus) != 1) {
        return "the RSA key has no modulus";
    }
    roca = auth_rsa_is_roca(modulus);
    BN_free(modulus);
    return roca ? "the RSA key was made by a broken generator (CVE-2017-15361)" : NULL;
}

static const char *check_group(const EVP_PKEY *pkey, const char *wanted) {
    char group[64];
    size_t len = 0;

    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                       &len) != 1 ||
        strcmp(group, wanted) != 0) {
        return "the key is not on the algorithm's curve";
    }
    return NULL;
}

static const char *check_kind(const struct auth_alg_info *info, const EVP_PKEY *pkey) {
    switch (info->family) {
    case AUTH_FAMILY_HMAC:
        return "an HMAC algorithm takes a secret";
    case AUTH_FAMILY_RSA_PKCS1:
        return EVP_PKEY_is_a(pkey, "RSA") ? check_rsa(pkey) : "the key is not an RSA key";
    case AUTH_FAMILY_RSA_PSS:
        return EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_is_a(pkey, "RSA-PSS")
                   ? check_rsa(pkey)
                   : "the key is not an RSA key";
    case AUTH_FAMILY_ECDSA:
        return EVP_PKEY_is_a(pkey, "EC") ? check_group(pkey, info->group)
                                         : "the key is not an elliptic curve key";
    case AUTH_FAMILY_EDDSA:
        return EVP_PKEY_is_a(pkey, "ED25519") ? NULL : "the key is not an Ed25519 key";
    }
    return "unknown algorithm";
}

struct auth_key *auth_key_create_public(enum auth_alg alg, const char *kid, EVP_PKEY *pkey,
                                        const struct auth_checked *checked, const char **why) {
    struct auth_key *key;
    const char *problem = check_kind(auth_alg_info(alg), pkey);

    if (problem == NULL && !auth_checked_is_valid(checked, pkey)) {
        problem = "the key is not valid";
    }
    ERR_clear_error();
    if (problem != NULL) {
        *why = problem;
        return NULL;
    }
    key = key_create(alg, kid);
    EVP_PKEY_up_ref(pkey);
    key->pkey = pkey;
    return key;
}

void auth_key_destroy(struct auth_key **key) {
    struct auth_key *k = *key;

    if (k == NULL) {
        return;
    }
    if (k->secret != NULL) {
        OPENSSL_cleanse(k->secret, k->secret_len);
    }
    mem_free(k->secret);
    EVP_PKEY_free(k->pkey);
    mem_free(k->kid);
    mem_free(k);
    *key = NULL;
}

size_t auth_key_hmac(const struct auth_key *key, struct str bytes,
                     unsigned char out[EVP_MAX_MD_SIZE]) {
    size_t len = 0;

    if (EVP_Q_mac(NULL, "HMAC", NULL, auth_alg_info(key->alg)->digest, NULL, key->secret,
                  key->secret_len, (const unsigned char *)bytes.p, bytes.len, out, EVP_MAX_MD_SIZE,
                  &len) == NULL) {
        return 0;
    }
    return len;
}

static bool verify_hmac(const struct auth_key *key, struct str bytes, struct str signature) {
    unsigned char expected[EVP_MAX_MD_SIZE];
    size_t len = auth_key_hmac(key, bytes, expected);

    return len > 0 && signature.len == len && CRYPTO_memcmp(expected, signature.p, len) == 0;
}

/* Converts r and s side by side (RFC 7518 §3.4) to OpenSSL's DER. Its length, or 0. */
static size_t ecdsa_to_der(struct str signature, unsigned char out[MAX_DER_BYTES]) {
    const unsigned char *p = (const unsigned char *)signature.p;
    int half = (int)(signature.len / 2);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, half, NULL);
    BIGNUM *s = BN_bin2bn(p + half, half, NULL);
    int len = 0;

    if (sig == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        goto done;
    }
    len = i2d_ECDSA_SIG(sig, NULL);
    if (len > 0 && len <= MAX_DER_BYTES) {
        len = i2d_ECDSA_SIG(sig, &out);
    } else {
        len = 0;
    }
done:
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

static bool set_pss(EVP_PKEY_CTX *ctx, const struct auth_alg_info *info) {
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)info->size_bytes) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, info->digest, NULL) == 1;
}

static bool verify_public(const struct auth_key *key, struct str bytes, struct str signature) {
    const struct auth_alg_info *info = auth_alg_info(key->alg);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL; /* md's */
    bool ok = md != NULL &&
              EVP_DigestVerifyInit_ex(md, &ctx, info->digest, NULL, NULL, key->pkey, NULL) == 1;

    if (ok && info->family == AUTH_FAMILY_RSA_PSS) {
        ok = set_pss(ctx, info);
    }
    ok = ok && EVP_DigestVerify(md, (const unsigned char *)signature.p, signature.len,
                                (const unsigned char *)bytes.p, bytes.len) == 1;
    EVP_MD_CTX_free(md);
    ERR_clear_error();
    return ok;
}

bool auth_key_verify(const struct auth_key *key, struct str bytes, struct str signature) {
    const struct auth_alg_info *info = auth_alg_info(key->alg);
    unsigned char der[MAX_DER_BYTES];
    size_t len;

    switch (info->family) {
    case AUTH_FAMILY_HMAC:
        return verify_hmac(key, bytes, signature);
    case AUTH_FAMILY_RSA_PKCS1:
    case AUTH_FAMILY_RSA_PSS:
        return signature.len == (size_t)EVP_PKEY_get_size(key->pkey) &&
               verify_public(key, bytes, signature);
    case AUTH_FAMILY_ECDSA:
        if (signature.len != info->size_bytes) {
            return false;
        }
        len = ecdsa_to_der(signature, der);
        return len > 0 && verify_public(key, bytes, (struct str){(char *)der, len});
    case AUTH_FAMILY_EDDSA:
        return signature.len == info->size_bytes && verify_public(key, bytes, signature);
    }
    return false;
}
