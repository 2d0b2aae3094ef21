/* Checks a listener's certificate and key. */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "wslock/base/file.h"
#include "wslock/base/mem.h"

#define CERTIFICATE "listen[%zu].tls.certificate: %s: "
#define KEY "listen[%zu].tls.key: %s: "

static bool certificate_ends(X509 *certificate, int64_t *ends_unix_s) {
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1) {
        return false;
    }
    *ends_unix_s = (int64_t)timegm(&tm);
    return true;
}

static FILE *open_file(const char *path, const char **why) {
    FILE *f = file_check(path, why) ? fopen(path, "re") : NULL;
    if (f == NULL && *why == NULL) {
        *why = strerror(errno);
    }
    return f;
}

static X509 *read_certificate(size_t listener, const char *file, char **problem) {
    const char *why = NULL;
    FILE *f = open_file(file, &why);
    if (f == NULL) {
        *problem = mem_printf(CERTIFICATE "%s", listener, file, why);
        return NULL;
    }
    X509 *certificate = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    if (certificate == NULL) {
        *problem = mem_printf(CERTIFICATE "has no PEM certificate", listener, file);
    }
    return certificate;
}

/* Without this callback OpenSSL would ask for a passphrase on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg) {
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *read_key(size_t listener, const char *file, char **problem) {
    const char *why = NULL;
    FILE *f = open_file(file, &why);
    if (f == NULL) {
        *problem = mem_printf(KEY "%s", listener, file, why);
        return NULL;
    }
    EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, no_passphrase, NULL);
    fclose(f);
    if (key == NULL) {
        *problem = mem_printf(KEY "has no PEM key without a passphrase", listener, file);
    }
    return key;
}

/* OpenSSL refuses weak keys and signatures by its own rules. */
static bool check_accepted(size_t listener, const char *certificate_file, const char *key_file,
                           char **problem) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    ERR_clear_error();
    if (context == NULL) {
        *problem = mem_printf("OpenSSL cannot start TLS");
    } else if (SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1) {
        *problem = mem_printf(CERTIFICATE "%s", listener, certificate_file,
                              ERR_reason_error_string(ERR_peek_error()));
    } else if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) {
        *problem =
            mem_printf(KEY "%s", listener, key_file, ERR_reason_error_string(ERR_peek_error()));
    }
    SSL_CTX_free(context);
    return *problem == NULL;
}

bool tls_check_pair(const struct config *config, size_t listener, int64_t *ends_unix_s,
                    char **problem) {
    const char *certificate_file = config->listen[listener].tls_certificate_file;
    const char *key_file = config->listen[listener].tls_key_file;
    bool ok = false;
    EVP_PKEY *key = NULL;
    X509 *certificate = read_certificate(listener, certificate_file, problem);
    if (certificate == NULL) {
        goto out;
    }
    key = read_key(listener, key_file, problem);
    if (key == NULL) {
        goto out;
    }
    if (X509_check_private_key(certificate, key) != 1) {
        *problem = mem_printf(KEY "does not belong to certificate %s", listener, key_file,
                              certificate_file);
    } else if (!certificate_ends(certificate, ends_unix_s)) {
        *problem = mem_printf(CERTIFICATE "its expiry cannot be read", listener, certificate_file);
    } else {
        ok = check_accepted(listener, certificate_file, key_file, problem);
    }
out:
    EVP_PKEY_free(key);
    X509_free(certificate);
    ERR_clear_error();
    return ok;
}
