#include "keys.h"

#include <jwt.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "wslock/base/mem.h"

#define LIFE_S 3600

static FILE *create(const char *folder, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "wxe");
}

static bool write_secret(struct keys *k, const char *folder) {
    unsigned char random[KEYS_SECRET_BYTES / 2];
    if (RAND_bytes(random, sizeof random) != 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(k->secret + 2 * i, 3, "%02x", random[i]);
    }
    FILE *file = create(folder, "hs256");
    if (file == NULL) {
        return false;
    }
    bool ok = fputs(k->secret, file) >= 0;
    return fclose(file) == 0 && ok;
}

static char *private_pem(EVP_PKEY *key) {
    BIO *memory = BIO_new(BIO_s_mem());
    char *text, *copy = NULL;
    if (memory != NULL && PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) == 1) {
        long len = BIO_get_mem_data(memory, &text);
        copy = mem_strndup(text, (size_t)len);
    }
    BIO_free(memory);
    return copy;
}

static bool write_public(EVP_PKEY *key, const char *folder) {
    FILE *file = create(folder, "es256.pem");
    bool ok = file != NULL && PEM_write_PUBKEY(file, key) == 1;
    return file != NULL && fclose(file) == 0 && ok;
}

static X509 *self_signed(EVP_PKEY *key) {
    X509 *cert = X509_new();
    if (cert == NULL) {
        return NULL;
    }
    X509_NAME *name = X509_get_subject_name(cert);
    bool ok = X509_set_version(cert, 2) == 1 &&
              ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(cert), -60) != NULL &&
              X509_gmtime_adj(X509_getm_notAfter(cert), LIFE_S * 24) != NULL &&
              X509_set_pubkey(cert, key) == 1 &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                         (const unsigned char *)"localhost", -1, -1, 0) == 1 &&
              X509_set_issuer_name(cert, name) == 1 && X509_sign(cert, key, EVP_sha256()) > 0;
    if (!ok) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static bool write_tls(const char *folder) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key != NULL ? self_signed(key) : NULL;
    FILE *cert_file = create(folder, "tls.pem"), *key_file = create(folder, "tls.key");
    bool ok = cert != NULL && cert_file != NULL && key_file != NULL &&
              PEM_write_X509(cert_file, cert) == 1 &&
              PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (cert_file != NULL) {
        ok = fclose(cert_file) == 0 && ok;
    }
    if (key_file != NULL) {
        ok = fclose(key_file) == 0 && ok;
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

bool keys_make(struct keys *k, const char *folder) {
    *k = (struct keys){0};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    bool ok =
        key != NULL && write_secret(k, folder) && write_public(key, folder) && write_tls(folder);
    k->es256_private = ok ? private_pem(key) : NULL;
    EVP_PKEY_free(key);
    return k->es256_private != NULL;
}

void keys_fini(struct keys *k) {
    mem_free(k->es256_private);
    *k = (struct keys){0};
}

char *keys_token(const struct keys *k, enum keys_alg alg, const char *user) {
    bool hmac = alg == KEYS_HS256;
    const char *key = hmac ? k->secret : k->es256_private;
    long now = (long)time(NULL);
    char name[80], *token = NULL;
    jwt_t *jwt;
    if (jwt_new(&jwt) != 0) {
        return NULL;
    }
    snprintf(name, sizeof name, "User Number %s", user);
    if (jwt_add_header(jwt, "kid", hmac ? "hs" : "es") == 0 &&
        jwt_add_grant(jwt, "sub", user) == 0 && jwt_add_grant(jwt, "name", name) == 0 &&
        jwt_add_grant_int(jwt, "iat", now) == 0 &&
        jwt_add_grant_int(jwt, "exp", now + LIFE_S) == 0 &&
        jwt_set_alg(jwt, hmac ? JWT_ALG_HS256 : JWT_ALG_ES256, (const unsigned char *)key,
                    (int)strlen(key)) == 0) {
        token = jwt_encode_str(jwt);
    }
    jwt_free(jwt);
    return token;
}
