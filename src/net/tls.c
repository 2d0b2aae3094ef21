/* Certificates and keys of listeners. */
#include "tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "wslock/base/clock.h"
#include "wslock/base/file.h"
#include "wslock/base/mem.h"

#define CERTIFICATE "listen[%zu].tls.certificate: %s: "
#define KEY "listen[%zu].tls.key: %s: "
#define FILE_MAX_BYTES ((size_t)1024 * 1024)

struct tls_pair {
    X509 *certificate;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    int64_t ends_unix_s;
};

/* ---- reading ---- */

static const char *openssl_reason(void) {
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    return reason != NULL ? reason : "OpenSSL refuses it";
}

static bool read_end(struct tls_pair *pair) {
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(pair->certificate), &tm) != 1) {
        return false;
    }
    pair->ends_unix_s = (int64_t)timegm(&tm);
    return true;
}

/* The certificates behind the first one. NULL, or what is wrong. */
static const char *read_chain(struct tls_pair *pair, BIO *pem) {
    X509 *next;
    ERR_clear_error();
    while ((next = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL) {
        sk_X509_push(pair->chain, next);
    }
    unsigned long error = ERR_peek_last_error();
    bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    return at_end ? NULL : openssl_reason();
}

/* text must outlive the result. NULL with *why. */
static BIO *open_pem(const char *file, struct buf *text, const char **why) {
    buf_init(text);
    return file_read(file, FILE_MAX_BYTES, text, why) ? BIO_new_mem_buf(text->data, (int)text->len)
                                                      : NULL;
}

/* NULL, or what is wrong. */
static const char *read_certificates(struct tls_pair *pair, const char *file) {
    struct buf text;
    const char *why = NULL;
    BIO *pem = open_pem(file, &text, &why);
    if (pem != NULL) {
        pair->certificate = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL);
        if (pair->certificate == NULL) {
            why = "has no PEM certificate";
        } else if (!read_end(pair)) {
            why = "its expiry cannot be read";
        } else {
            why = read_chain(pair, pem);
        }
    }
    BIO_free(pem);
    buf_fini(&text);
    return why;
}

/* Without this callback OpenSSL would ask for a passphrase on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg) {
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

/* NULL, or what is wrong. */
static const char *read_key(struct tls_pair *pair, const char *file) {
    struct buf text;
    const char *why = NULL;
    BIO *pem = open_pem(file, &text, &why);
    if (pem != NULL) {
        pair->key = PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, NULL);
        if (pair->key == NULL) {
            why = "has no PEM key without a passphrase";
        }
    }
    BIO_free(pem);
    buf_fini_secret(&text);
    return why;
}

/* OpenSSL refuses weak keys and signatures by its own rules. NULL, or what is wrong. */
static const char *check_accepted(const struct tls_pair *pair) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    ERR_clear_error();
    bool ok = context != NULL &&
              SSL_CTX_use_cert_and_key(context, pair->certificate, pair->key, pair->chain, 1) == 1;
    const char *why = ok ? NULL : openssl_reason();
    SSL_CTX_free(context);
    return why;
}

struct tls_pair *tls_pair_load(const struct config *config, size_t listener, char **problem) {
    const char *certificate_file = config->listen[listener].tls_certificate_file;
    const char *key_file = config->listen[listener].tls_key_file;
    struct tls_pair *pair = mem_zalloc(sizeof *pair);
    pair->chain = sk_X509_new_null();
    const char *why = read_certificates(pair, certificate_file);
    if (why != NULL) {
        *problem = mem_printf(CERTIFICATE "%s", listener, certificate_file, why);
    } else if ((why = read_key(pair, key_file)) != NULL) {
        *problem = mem_printf(KEY "%s", listener, key_file, why);
    } else if (X509_check_private_key(pair->certificate, pair->key) != 1) {
        *problem = mem_printf(KEY "does not belong to certificate %s", listener, key_file,
                              certificate_file);
    } else if ((why = check_accepted(pair)) != NULL) {
        *problem = mem_printf(CERTIFICATE "%s", listener, certificate_file, why);
    }
    ERR_clear_error();
    if (*problem != NULL) {
        tls_pair_destroy(&pair);
    }
    return pair;
}

void tls_pair_destroy(struct tls_pair **pair) {
    if (*pair == NULL) {
        return;
    }
    EVP_PKEY_free((*pair)->key);
    X509_free((*pair)->certificate);
    sk_X509_pop_free((*pair)->chain, X509_free);
    mem_free(*pair);
    *pair = NULL;
}

int64_t tls_pair_ends_unix_s(const struct tls_pair *pair) {
    return pair->ends_unix_s;
}

char *tls_pair_warning(const struct tls_pair *pair, const struct config *config, size_t listener) {
    if (pair->ends_unix_s > clock_wall_us() / 1000000) {
        return NULL;
    }
    char when[32];
    struct tm tm;
    time_t ends = (time_t)pair->ends_unix_s;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&ends, &tm));
    return mem_printf("listen[%zu].tls.certificate: warning: %s: expired at %s", listener,
                      config->listen[listener].tls_certificate_file, when);
}

/* ---- handshakes ---- */

/* SSL_CTX_use_certificate would not do: a context has one certificate for each type of key, and an
 * old one of another type would stay. */
static int on_certificate_needed(SSL *ssl, void *arg) {
    const struct tls_pair *pair = *(struct tls_pair *const *)arg;
    SSL_certs_clear(ssl);
    return SSL_use_cert_and_key(ssl, pair->certificate, pair->key, pair->chain, 1);
}

void tls_use_pair(struct ssl_ctx_st *context, struct tls_pair *const *pair) {
    SSL_CTX_set_cert_cb(context, on_certificate_needed, (void *)pair);
}

void tls_set_min_version(struct ssl_ctx_st *context, const char *min_version) {
    if (strcmp(min_version, "1.3") == 0) {
        SSL_CTX_set_options(context, SSL_OP_NO_TLSv1_2);
    } else {
        SSL_CTX_clear_options(context, SSL_OP_NO_TLSv1_2);
    }
}
