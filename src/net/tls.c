#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "private.h"

static bool certificate_ends(X509 *certificate, int64_t *ends_unix_s) {
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
        return false;
    *ends_unix_s = (int64_t)timegm(&tm);
    return true;
}

static X509 *read_certificate(const char *file, char **problem) {
    FILE *f = fopen(file, "re");
    if (f == NULL) {
        *problem = net_problem("certificate %s: %m", file);
        return NULL;
    }
    X509 *certificate = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    if (certificate == NULL)
        *problem = net_problem("certificate %s: holds no PEM certificate", file);
    return certificate;
}

/* A key with a passphrase would make OpenSSL ask on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg) {
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *read_key(const char *file, char **problem) {
    FILE *f = fopen(file, "re");
    if (f == NULL) {
        *problem = net_problem("private key %s: %m", file);
        return NULL;
    }
    EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, no_passphrase, NULL);
    fclose(f);
    if (key == NULL)
        *problem = net_problem("private key %s: holds no PEM key without a passphrase", file);
    return key;
}

bool tls_check_pair(const char *certificate_file, const char *key_file, int64_t *ends_unix_s,
                    char **problem) {
    bool ok = false;
    EVP_PKEY *key = NULL;
    X509 *certificate = read_certificate(certificate_file, problem);
    if (certificate == NULL)
        goto out;
    key = read_key(key_file, problem);
    if (key == NULL)
        goto out;
    if (X509_check_private_key(certificate, key) != 1)
        *problem = net_problem("private key %s does not belong to certificate %s", key_file,
                               certificate_file);
    else if (!certificate_ends(certificate, ends_unix_s))
        *problem = net_problem("certificate %s: its end cannot be read", certificate_file);
    else
        ok = true;
out:
    EVP_PKEY_free(key);
    X509_free(certificate);
    ERR_clear_error();
    return ok;
}
