/*
 * Tokens and keys. The first byte says what the rest is: a whole token; a header and a payload (a
 * line each), which are signed, so that the claims are reached; a key or a key set; or claims
 * alone.
 */
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wslock/auth/auth.h"
#include "wslock/auth/jws.h"
#include "wslock/base/buf.h"
#include "wslock/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1800000000000)

static const char SECRET[] = "0123456789abcdef0123456789abcdef";

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

/* One that has the secret and looks for claims in every way. */
static struct auth *make_auth(void) {
    static char roles_path[] = "/realm/roles", user[] = "sub", name[] = "name", alg[] = "HS256";
    static char role[] = "lock-admin";
    static char *roles[] = {role}, *algorithms[] = {alg};
    char path[] = "/tmp/wslock-fuzz-XXXXXX";
    int fd = mkstemp(path);
    struct config_key key = {.alg = alg, .secret_file = path};
    struct config config = {.auth = {.keys = &key,
                                     .key_count = 1,
                                     .algorithms = {algorithms, 1, true},
                                     .claim_user_id = user,
                                     .claim_username = name,
                                     .claim_roles = roles_path,
                                     .admin_roles = {roles, 1, true},
                                     .clock_skew_ms = 30000}};
    char *problem = NULL;
    struct auth *a;

    require(fd >= 0 && write(fd, SECRET, sizeof SECRET - 1) == sizeof SECRET - 1);
    close(fd);
    a = auth_create(&config, &problem);
    unlink(path);
    require(a != NULL);
    return a;
}

static void append_b64(struct buf *out, const uint8_t *p, size_t len) {
    static const char SET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)p[i] << 16;

        bits |= i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0;
        bits |= i + 2 < len ? p[i + 2] : 0;
        for (size_t j = 0; j < (len - i > 2 ? 4 : len - i + 1); j++) {
            buf_append_char(out, SET[bits >> (18 - 6 * j) & 63]);
        }
    }
}

/* What must never be in front of a person. */
static bool is_hidden(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad || code == 0x61c ||
           (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

static void check_name(const char *name) {
    size_t len = strlen(name);
    bool seen = false;

    for (size_t i = 0, step; i < len; i += step) {
        step = utf8_sequence(name + i, len - i);
        require(step > 0);
        uint32_t code = utf8_code(name + i, step);
        require(!is_hidden(code));
        seen = seen || (code != ' ' && code != 0xa0 && code != 0x3000);
    }
    require(seen);
}

static void check_identity(const struct auth_identity *id) {
    require(strlen(id->user_id) >= 1 && strlen(id->user_id) <= AUTH_MAX_NAME_BYTES);
    require(strlen(id->username) >= 1 && strlen(id->username) <= AUTH_MAX_NAME_BYTES);
    require(utf8_valid(id->user_id, strlen(id->user_id)));
    require(utf8_valid(id->username, strlen(id->username)));
    for (const char *p = id->user_id; *p; p++) {
        require((unsigned char)*p >= 0x20 && *p != 0x7f);
    }
    check_name(id->username);
    require(id->role_count <= 1);
    for (size_t i = 0; i < id->role_count; i++) {
        require(strcmp(id->roles[i], "lock-admin") == 0);
    }
    require(id->deadline_unix_ms > NOW_MS && id->deadline_unix_ms == id->expires_unix_ms + 30000);
}

static void try_token(struct auth *a, struct str token) {
    struct auth_identity *id = NULL;
    const char *why = NULL;
    enum auth_result result = auth_verify(a, token, NOW_MS, &id, &why);

    require((result == AUTH_OK) == (id != NULL));
    require(result == AUTH_OK || why != NULL);
    if (id != NULL) {
        check_identity(id);
    }
    auth_identity_destroy(&id);
}

static void try_signed(struct auth *a, struct str header, struct str claims) {
    unsigned char mac[32];
    size_t mac_len = 0;
    struct buf token;

    buf_init(&token);
    append_b64(&token, (const uint8_t *)header.p, header.len);
    buf_append_char(&token, '.');
    append_b64(&token, (const uint8_t *)claims.p, claims.len);
    require(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, SECRET, sizeof SECRET - 1,
                      (const unsigned char *)token.data, token.len, mac, sizeof mac,
                      &mac_len) != NULL);
    buf_append_char(&token, '.');
    append_b64(&token, mac, mac_len);
    try_token(a, (struct str){token.data, token.len});
    buf_fini(&token);
}

static void try_key(struct str key) {
    static const char *const TOKENS[] = {
        "eyJhbGciOiJIUzI1NiJ9.eA.AAAA", "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eA.AAAA",
        "eyJhbGciOiJFUzI1NiJ9.eA.AAAA", "eyJhbGciOiJFZERTQSIsImtpZCI6ImEifQ.eA.AAAA"};
    const char *why = NULL;

    for (size_t i = 0; i < ARRAY_LEN(TOKENS); i++) {
        require(jws_verify_compact(key, str_of(TOKENS[i]), &why) != JWS_VALID && why != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct auth *a;
    struct str rest = {(const char *)data + 1, size > 0 ? size - 1 : 0};
    const char *line_end;

    if (a == NULL) {
        log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
        a = make_auth();
    }
    if (size < 2) {
        return 0;
    }
    switch (data[0]) {
    case 't':
        try_token(a, rest);
        break;
    case 's':
        line_end = memchr(rest.p, '\n', rest.len);
        if (line_end != NULL) {
            try_signed(a, (struct str){rest.p, (size_t)(line_end - rest.p)},
                       (struct str){line_end + 1, rest.len - (size_t)(line_end + 1 - rest.p)});
        }
        break;
    case 'k':
        try_key(rest);
        break;
    default:
        try_signed(a, str_of("{\"alg\":\"HS256\"}"), rest);
        break;
    }
    return 0;
}
