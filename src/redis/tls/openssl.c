/*
 * TLS to Redis over hiredis_ssl. The SSL object is our own, because hiredis' helper checks the
 * chain but not whose certificate it is: here the host name, or the address, must be in it (RFC
 * 6125, RFC 2818 §3.1).
 */
#include "tls.h"

#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "wslock/base/file.h"
#include "wslock/base/mem.h"

struct redis_tls {
    SSL_CTX *ctx;
    char problem[128]; /* of a handshake; "" once it was told */
    /* The newest. */
    const redisContext *context;
    SSL *ssl; /* belongs to the context */
};

static char *last_problem(const char *what, const char *path) {
    char text[512];
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    snprintf(text, sizeof text, "%s: %.256s%s%.128s", what, path ? path : "", path ? ": " : "",
             reason ? reason : "failed");
    ERR_clear_error();
    return mem_strdup(text);
}

/* Whether OpenSSL may open it. */
static bool check_file(const char *what, const char *path, char **problem) {
    char text[512];
    const char *why;

    if (path == NULL || file_check(path, &why)) {
        return true;
    }
    snprintf(text, sizeof text, "%s: %.256s: %.128s", what, path, why);
    *problem = mem_strdup(text);
    return false;
}

static bool load_files(SSL_CTX *ctx, const struct config *c, char **problem) {
    const char *ca = c->redis.tls_ca_file, *certificate = c->redis.tls_certificate_file;
    const char *key = c->redis.tls_key_file;

    if (!check_file("redis.tls.ca", ca, problem) ||
        !check_file("redis.tls.certificate", certificate, problem) ||
        !check_file("redis.tls.key", key, problem)) {
        return false;
    }
    if (ca != NULL ? SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1
                   : SSL_CTX_set_default_verify_paths(ctx) != 1) {
        *problem = last_problem("redis.tls.ca", ca);
        return false;
    }
    if (certificate != NULL && SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1) {
        *problem = last_problem("redis.tls.certificate", certificate);
        return false;
    }
    if (key != NULL && SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        *problem = last_problem("redis.tls.key", key);
        return false;
    }
    return true;
}

/* hiredis 1.2 says "Success" of most handshakes that fail, so what was wrong is noted here. */

/* OpenSSL has no text for the alerts of TLS 1.3. */
static const char *alert_name(int value) {
    return (value & 0xff) == SSL_AD_CERTIFICATE_REQUIRED ? "certificate required"
                                                         : SSL_alert_desc_string_long(value);
}

static int on_verified(int ok, X509_STORE_CTX *store) {
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct redis_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (!ok) {
        snprintf(tls->problem, sizeof tls->problem, "certificate of the server: %s",
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
    }
    return ok;
}

static void on_info(const SSL *ssl, int where, int value) {
    struct redis_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (where == SSL_CB_READ_ALERT && (value & 0xff) != SSL_AD_CLOSE_NOTIFY && !tls->problem[0]) {
        snprintf(tls->problem, sizeof tls->problem, "TLS alert %d (%s)", value & 0xff,
                 alert_name(value));
    }
}

struct redis_tls *redis_tls_create(const struct config *config, char **problem) {
    struct redis_tls *tls = mem_zalloc(sizeof *tls);

    tls->ctx = SSL_CTX_new(TLS_client_method());
    if (tls->ctx == NULL) {
        *problem = last_problem("redis.tls", NULL);
        redis_tls_destroy(&tls);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
    SSL_CTX_set_app_data(tls->ctx, tls);
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, on_verified);
    SSL_CTX_set_info_callback(tls->ctx, on_info);
    if (!load_files(tls->ctx, config, problem)) {
        redis_tls_destroy(&tls);
    }
    return tls;
}

void redis_tls_destroy(struct redis_tls **tls) {
    if (*tls != NULL) {
        SSL_CTX_free((*tls)->ctx);
        mem_free(*tls);
        *tls = NULL;
    }
}

static bool expect_host(SSL *ssl, const char *host) {
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    }
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

bool redis_tls_start(struct redis_tls *tls, redisContext *c, const char *host,
                     const char **problem) {
    SSL *ssl = SSL_new(tls->ctx);

    redis_tls_clear_errors();
    tls->problem[0] = '\0';
    if (ssl == NULL || (host != NULL && !expect_host(ssl, host))) {
        SSL_free(ssl);
        *problem = "cannot prepare TLS";
        return false;
    }
    if (redisInitiateSSL(c, ssl) != REDIS_OK) { /* else the context has it */
        SSL_free(ssl);
        *problem = c->errstr[0] ? c->errstr : "TLS failed";
        if (tls->problem[0]) {
            *problem = tls->problem;
        }
        ERR_clear_error();
        return false;
    }
    tls->context = c;
    tls->ssl = ssl;
    return true;
}

void redis_tls_clear_errors(void) {
    ERR_clear_error();
}

/* A write that failed may have hidden the server's alert, which is still to be read. */
static void look_for_alert(struct redis_tls *tls) {
    char byte;

    if (!tls->problem[0]) {
        ERR_clear_error();
        (void)SSL_read(tls->ssl, &byte, 1);
    }
}

/* hiredis takes errno for the reason, which OpenSSL's own errors do not set. */
static const char *reason_of(unsigned long error, const char *otherwise) {
    if (error == 0) {
        return otherwise;
    }
    if (ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return "Server closed the connection";
    }
    return ERR_reason_error_string(error) != NULL ? ERR_reason_error_string(error) : otherwise;
}

/* Else there was no connection that TLS could begin on. */
static bool has_begun(const SSL *ssl) {
    return BIO_number_written(SSL_get_wbio(ssl)) > 0;
}

/* In TLS 1.3 a server checks the client's certificate after the client has finished the handshake.
 * Its tickets show that it has accepted it. */
static bool may_be_refused(const SSL *ssl) {
    return SSL_is_init_finished(ssl) && SSL_version(ssl) == TLS1_3_VERSION &&
           !SSL_SESSION_is_resumable(SSL_get_session(ssl));
}

void redis_tls_explain(struct redis_tls *tls, const redisContext *c, const char *reason, char *out,
                       size_t size) {
    bool newest = tls->context == c;

    if (c->err) {
        reason = reason_of(ERR_peek_last_error(), reason);
    }
    if (newest && c->err && has_begun(tls->ssl)) {
        look_for_alert(tls);
    }
    if (newest && tls->problem[0]) {
        snprintf(out, size, "%s", tls->problem);
    } else if (newest && has_begun(tls->ssl) && !SSL_is_init_finished(tls->ssl)) {
        snprintf(out, size, "TLS handshake: %s", reason);
    } else if (newest && c->err && may_be_refused(tls->ssl)) {
        snprintf(out, size, "%s; the server may have refused redis.tls.certificate", reason);
    } else {
        snprintf(out, size, "%s", reason);
    }
    ERR_clear_error();
    if (newest) {
        tls->context = NULL;
        tls->problem[0] = '\0';
    }
}
