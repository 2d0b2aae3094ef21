/* What the tests of tokens share: keys, signing with any algorithm, a folder, a configuration. */
#ifndef TESTS_UNIT_AUTH_SUPPORT_H
#define TESTS_UNIT_AUTH_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wslock/auth/auth.h"
#include "wslock/base/buf.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"

#define UNUSED_OK __attribute__((unused))
#define NOW_MS INT64_C(1800000000000) /* when tokens of the tests are looked at */

static const char *const ALL_ALGS[] = {
#define ALG(id, name, family, digest, size_bytes, group) name,
#include "wslock/config/algs.def"
#undef ALG
};

static const char SECRET[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* One way of signing: `secret` for HS*, else `pkey`. */
struct signer {
    const char *alg;
    struct str secret;
    EVP_PKEY *pkey;
};

static UNUSED_OK void append_b64(struct buf *out, const void *data, size_t len) {
    static const char SET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i += 3) {
        unsigned bits = (unsigned)p[i] << 16;

        bits |= i + 1 < len ? (unsigned)p[i + 1] << 8 : 0;
        bits |= i + 2 < len ? p[i + 2] : 0;
        for (size_t j = 0; j < (len - i > 2 ? 4 : len - i + 1); j++) {
            buf_append_char(out, SET[bits >> (18 - 6 * j) & 63]);
        }
    }
}

static UNUSED_OK const char *digest_of(const char *alg) {
    if (strcmp(alg, "EdDSA") == 0) {
        return NULL;
    }
    return strstr(alg, "256") != NULL ? "SHA256" : strstr(alg, "384") != NULL ? "SHA384" : "SHA512";
}

/* DER to r and s side by side. */
static UNUSED_OK size_t der_to_raw(unsigned char *sig, size_t len, size_t half) {
    const unsigned char *p = sig;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &p, (long)len);

    assert_non_null(parsed);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(parsed), sig, (int)half), (int)half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(parsed), sig + half, (int)half), (int)half);
    ECDSA_SIG_free(parsed);
    return 2 * half;
}

static UNUSED_OK void append_signature(struct buf *out, const struct signer *s, struct str input) {
    unsigned char sig[1024];
    size_t len = sizeof sig;

    if (s->alg[0] == 'H') {
        assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, digest_of(s->alg), NULL, s->secret.p,
                                  s->secret.len, (const unsigned char *)input.p, input.len, sig,
                                  sizeof sig, &len));
    } else {
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        EVP_PKEY_CTX *ctx;

        assert_int_equal(
            EVP_DigestSignInit_ex(md, &ctx, digest_of(s->alg), NULL, NULL, s->pkey, NULL), 1);
        if (s->alg[0] == 'P') {
            EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST);
        }
        assert_int_equal(EVP_DigestSign(md, sig, &len, (const unsigned char *)input.p, input.len),
                         1);
        EVP_MD_CTX_free(md);
        if (strcmp(s->alg, "ES256") == 0 || strcmp(s->alg, "ES384") == 0) {
            len = der_to_raw(sig, len, s->alg[2] == '2' ? 32 : 48);
        }
    }
    append_b64(out, sig, len);
}

/* A token of whatever bytes. The caller's, NUL-terminated. */
static UNUSED_OK char *make_token_of(const struct signer *s, struct str header,
                                     struct str payload) {
    struct buf out;
    size_t len;

    buf_init(&out);
    append_b64(&out, header.p, header.len);
    buf_append_char(&out, '.');
    append_b64(&out, payload.p, payload.len);
    len = out.len;
    buf_append_char(&out, '.');
    char *input = mem_strndup(out.data, len);
    append_signature(&out, s, (struct str){input, len});
    mem_free(input);
    buf_cstr(&out);
    return out.data;
}

/* header NULL: only alg. */
static UNUSED_OK char *make_token(const struct signer *s, const char *header, struct str payload) {
    char alg_only[64];

    (void)snprintf(alg_only, sizeof alg_only, "{\"alg\":\"%s\"}", s->alg);
    return make_token_of(s, str_of(header != NULL ? header : alg_only), payload);
}

static UNUSED_OK EVP_PKEY *make_key(const char *kind) {
    EVP_PKEY *pkey = strncmp(kind, "RSA", 3) == 0
                         ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(kind + 3))
                     : strcmp(kind, "ED25519") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, kind)
                                                    : EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);

    assert_non_null(pkey);
    return pkey;
}

static UNUSED_OK void append_bn_member(struct buf *out, EVP_PKEY *pkey, const char *param,
                                       const char *name, int width) {
    BIGNUM *n = NULL;
    unsigned char bytes[1024];

    assert_int_equal(EVP_PKEY_get_bn_param(pkey, param, &n), 1);
    if (width == 0) {
        width = BN_num_bytes(n);
    }
    assert_int_equal(BN_bn2binpad(n, bytes, width), width);
    BN_free(n);
    buf_printf(out, ",\"%s\":\"", name);
    append_b64(out, bytes, (size_t)width);
    buf_append_char(out, '"');
}

/* Appends the public JWK, with more members, such as `"kid":"a"`, if they are not "". */
static UNUSED_OK void append_jwk(struct buf *out, EVP_PKEY *pkey, const char *more) {
    bool small = EVP_PKEY_get_bits(pkey) <= 256;

    buf_append_char(out, '{');
    buf_append_str(out, more);
    buf_append_str(out, *more ? "," : "");
    if (EVP_PKEY_is_a(pkey, "RSA")) {
        buf_append_str(out, "\"kty\":\"RSA\"");
        append_bn_member(out, pkey, OSSL_PKEY_PARAM_RSA_N, "n", 0);
        append_bn_member(out, pkey, OSSL_PKEY_PARAM_RSA_E, "e", 0);
    } else if (EVP_PKEY_is_a(pkey, "EC")) {
        buf_printf(out, "\"kty\":\"EC\",\"crv\":\"%s\"", small ? "P-256" : "P-384");
        append_bn_member(out, pkey, OSSL_PKEY_PARAM_EC_PUB_X, "x", small ? 32 : 48);
        append_bn_member(out, pkey, OSSL_PKEY_PARAM_EC_PUB_Y, "y", small ? 32 : 48);
    } else {
        unsigned char raw[32];
        size_t len = sizeof raw;

        assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, raw, &len), 1);
        buf_append_str(out, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
        append_b64(out, raw, len);
        buf_append_char(out, '"');
    }
    buf_append_char(out, '}');
}

/* A folder for the files of one test, and a configuration to fill. */
struct fixture {
    char dir[64];
    struct config config;
    struct config_key keys[16];
    struct auth *auth;
};

static UNUSED_OK char *path_in(const struct fixture *f, const char *name) {
    struct buf b;

    buf_init(&b);
    buf_printf(&b, "%s/%s", f->dir, name);
    buf_cstr(&b);
    return b.data;
}

/* The path is the caller's. */
static UNUSED_OK char *write_file(const struct fixture *f, const char *name, const void *data,
                                  size_t len) {
    char *path = path_in(f, name);
    FILE *file = fopen(path, "wbe");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    return path;
}

static UNUSED_OK char *write_pem(const struct fixture *f, const char *name, EVP_PKEY *pkey) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *path;
    long len;

    assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
    len = BIO_get_mem_data(bio, &data);
    path = write_file(f, name, data, (size_t)len);
    BIO_free(bio);
    return path;
}

static UNUSED_OK struct config_strings strings_of(const char *a, const char *b) {
    struct config_strings s = {.count = b != NULL ? 2 : 1, .set = true};

    s.items = mem_calloc(2, sizeof *s.items);
    s.items[0] = mem_strdup(a);
    s.items[1] = b != NULL ? mem_strdup(b) : NULL;
    return s;
}

static UNUSED_OK void free_strings(struct config_strings *s) {
    for (size_t i = 0; i < s->count; i++) {
        mem_free(s->items[i]);
    }
    mem_free(s->items);
    *s = (struct config_strings){0};
}

/* The kid may be NULL; the path is taken. */
static UNUSED_OK void add_key(struct fixture *f, const char *kid, const char *alg, char *path) {
    struct config_key *key = &f->keys[f->config.auth.key_count++];

    key->kid = kid != NULL ? mem_strdup(kid) : NULL;
    key->alg = mem_strdup(alg);
    if (alg[0] == 'H') {
        key->secret_file = path;
    } else {
        key->public_key_file = path;
    }
}

static UNUSED_OK void fixture_init(struct fixture *f) {
    memset(f, 0, sizeof *f);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    strcpy(f->dir, "/tmp/wslock-auth-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->config.auth.keys = f->keys;
    f->config.auth.algorithms = (struct config_strings){
        mem_calloc(ARRAY_LEN(ALL_ALGS), sizeof(char *)), ARRAY_LEN(ALL_ALGS), true};
    for (size_t i = 0; i < ARRAY_LEN(ALL_ALGS); i++) {
        f->config.auth.algorithms.items[i] = mem_strdup(ALL_ALGS[i]);
    }
    f->config.auth.admin_roles = strings_of("lock-admin", NULL);
    f->config.auth.claim_user_id = mem_strdup("sub");
    f->config.auth.claim_username = mem_strdup("name");
    f->config.auth.claim_roles = mem_strdup("roles");
    f->config.auth.clock_skew_ms = 30000;
}

static UNUSED_OK int remove_entry(const char *path, const struct stat *st, int type,
                                  struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static UNUSED_OK void fixture_fini(struct fixture *f) {
    auth_destroy(&f->auth);
    for (size_t i = 0; i < f->config.auth.key_count; i++) {
        mem_free(f->keys[i].kid);
        mem_free(f->keys[i].alg);
        mem_free(f->keys[i].secret_file);
        mem_free(f->keys[i].public_key_file);
    }
    free_strings(&f->config.auth.algorithms);
    free_strings(&f->config.auth.admin_roles);
    free_strings(&f->config.auth.audience);
    free_strings(&f->config.default_policy.editor_roles);
    free_strings(&f->config.default_policy.takeover_roles);
    mem_free(f->config.auth.issuer);
    mem_free(f->config.auth.jwks_file);
    mem_free(f->config.auth.jwks_url);
    mem_free(f->config.auth.claim_user_id);
    mem_free(f->config.auth.claim_username);
    mem_free(f->config.auth.claim_roles);
    nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Makes f->auth, which must succeed. */
static UNUSED_OK void fixture_load(struct fixture *f) {
    char *problem = NULL;

    auth_destroy(&f->auth);
    f->auth = auth_create(&f->config, &problem);
    if (f->auth == NULL) {
        fail_msg("%s", problem);
    }
    assert_null(problem);
}

/* The problem of a configuration that must not load; the caller's. */
static UNUSED_OK char *load_problem(struct fixture *f) {
    char *problem = NULL;
    struct auth *a = auth_create(&f->config, &problem);

    assert_null(a);
    assert_non_null(problem);
    return problem;
}

/* Takes the token. */
static UNUSED_OK enum auth_result verify(struct fixture *f, char *token,
                                         struct auth_identity **identity) {
    struct auth_identity *own = NULL;
    const char *why = NULL;
    enum auth_result result =
        auth_verify(f->auth, str_of(token), NOW_MS, identity != NULL ? identity : &own, &why);

    assert_true((result == AUTH_OK) == ((identity ? *identity : own) != NULL));
    if (result != AUTH_OK) {
        assert_non_null(why);
    }
    auth_identity_destroy(&own);
    mem_free(token);
    return result;
}

#endif
