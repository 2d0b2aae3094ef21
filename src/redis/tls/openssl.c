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
    char problem[128]; /* of the newest handshake */
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

    if ((where & SSL_CB_ALERT) && (value & 0xff) != SSL_AD_CLOSE_NOTIFY && !tls->problem[0]) {
        snprintf(tls->problem, sizeof tls->problem, "TLS alert %d (%s)", value & 0xff,
                 SSL_alert_desc_string_long(value));
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

    tls->problem[0] = '\0';
    if (ssl == NULL || (host != NULL && !expect_host(ssl, host))) {
        SSL_free(ssl);
        *problem = "cannot prepare TLS";
        return false;
    }
    if (redisInitiateSSL(c, ssl) != REDIS_OK) { /* else the context has it */
        SSL_free(ssl);
        *problem = c->errstr[0] ? c->errstr : "TLS failed";
        return false;
    }
    return true;
}

const char *redis_tls_problem(const struct redis_tls *tls) {
    return tls->problem;
}
