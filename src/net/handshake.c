/* Checks a WebSocket handshake. */
#include "handshake.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <strings.h>

static const struct handshake_refusal REFUSALS[] = {
#define REFUSAL(id, status_, code_, label_, message_)                                              \
    [HANDSHAKE_##id] = {status_, code_, label_, message_},
#include "refusals.def"
#undef REFUSAL
};

const struct handshake_refusal *handshake_refusal(enum handshake_verdict verdict) {
    assert(verdict != HANDSHAKE_OK);
    return &REFUSALS[verdict];
}

static bool is_base64_char(char c) {
    return isalnum((unsigned char)c) || c == '+' || c == '/';
}

/* Base64 of 16 bytes: 22 characters, then "==". The 22nd has only two bits of data, so it is one of
 * four. */
static bool is_key(struct str key) {
    if (key.len != 24 || key.p[22] != '=' || key.p[23] != '=') {
        return false;
    }
    for (size_t i = 0; i < 22; i++) {
        if (!is_base64_char(key.p[i])) {
            return false;
        }
    }
    return memchr("AQgw", key.p[21], 4) != NULL;
}

/* The value of a field that is present exactly once; else empty. */
static struct str only(const struct http_head *head, const char *name) {
    return http_head_count(head, name) == 1 ? http_head_first(head, name) : (struct str){NULL, 0};
}

/* False also if a name is not a token. Empty parts are ignored. */
static bool offers_protocol(const struct http_head *head) {
    struct str rest = head->fields, list, part;
    bool found = false;
    while (http_head_next(&rest, "Sec-WebSocket-Protocol", &list)) {
        while (http_list_next(&list, ',', &part)) {
            if (part.len > 0 && !http_is_token(part)) {
                return false;
            }
            found = found || str_eqz(part, HANDSHAKE_SUBPROTOCOL);
        }
    }
    return found;
}

static bool is_allowed_origin(const struct config *config, const struct http_head *head) {
    const struct config_strings *allowed = &config->allowed_origins;
    size_t count = http_head_count(head, "Origin");
    struct str origin = http_head_first(head, "Origin");
    if (count == 0) {
        return true;
    }
    for (size_t i = 0; i < allowed->count; i++) {
        if (strcmp(allowed->items[i], "*") == 0 ||
            (count == 1 && str_eqz(origin, allowed->items[i]))) {
            return true;
        }
    }
    return false;
}

enum handshake_verdict handshake_check_origin(const struct config *config,
                                              const struct http_head *head) {
    return is_allowed_origin(config, head) ? HANDSHAKE_OK : HANDSHAKE_ORIGIN;
}

static enum handshake_verdict check_version(const struct http_head *head) {
    if (!str_eqz(head->version, "HTTP/1.1")) {
        return HANDSHAKE_HTTP_VERSION;
    }
    return only(head, "Host").len == 0 ? HANDSHAKE_HOST : HANDSHAKE_OK;
}

static enum handshake_verdict check_fields(const struct http_head *head) {
    if (!str_eqz(head->method, "GET")) {
        return HANDSHAKE_METHOD;
    }
    if (!http_head_lists(head, "Upgrade", "websocket")) {
        return HANDSHAKE_UPGRADE;
    }
    if (!http_head_lists(head, "Connection", "upgrade")) {
        return HANDSHAKE_CONNECTION;
    }
    if (http_head_has_body(head)) { /* a body would be read as frames */
        return HANDSHAKE_BODY;
    }
    if (!str_eqz(only(head, "Sec-WebSocket-Version"), "13")) {
        return HANDSHAKE_WS_VERSION;
    }
    return is_key(only(head, "Sec-WebSocket-Key")) ? HANDSHAKE_OK : HANDSHAKE_KEY;
}

enum handshake_verdict handshake_check_websocket(const struct config *config,
                                                 const struct http_head *head) {
    enum handshake_verdict verdict = check_version(head);
    if (verdict == HANDSHAKE_OK) {
        verdict = check_fields(head);
    }
    return verdict == HANDSHAKE_OK ? handshake_check_origin(config, head) : verdict;
}

enum handshake_verdict handshake_check(const struct config *config, const struct http_head *head,
                                       struct str path) {
    enum handshake_verdict verdict = check_version(head);
    if (verdict != HANDSHAKE_OK) {
        return verdict;
    }
    if (!str_eqz(path, config->paths.native)) {
        return HANDSHAKE_NO_SUCH_PATH;
    }
    verdict = check_fields(head);
    if (verdict != HANDSHAKE_OK) {
        return verdict;
    }
    return offers_protocol(head) ? handshake_check_origin(config, head) : HANDSHAKE_PROTOCOL;
}

void handshake_accept(struct str key, char out[HANDSHAKE_ACCEPT_BYTES]) {
    static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char text[24 + sizeof GUID - 1], digest[20];
    assert(key.len == 24);
    memcpy(text, key.p, 24);
    memcpy(text + 24, GUID, sizeof GUID - 1);
    EVP_Digest(text, sizeof text, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
}

void handshake_origin_text(const struct http_head *head, char out[HANDSHAKE_ORIGIN_TEXT]) {
    struct str rest = head->fields, origin;
    size_t shown = 0;
    char *p = out;
    *p = '\0';
    while (http_head_next(&rest, "Origin", &origin)) {
        if (shown > 0 && shown < HANDSHAKE_ORIGIN_SHOWN) {
            p += snprintf(p, 3, ", ");
            shown += 2;
        }
        for (size_t i = 0; i < origin.len; i++, shown++) {
            unsigned char c = (unsigned char)origin.p[i];
            if (shown >= HANDSHAKE_ORIGIN_SHOWN) {
                memcpy(p, "...", 4);
                return;
            }
            p += snprintf(p, 5, c > ' ' && c < 0x7f ? "%c" : "\\x%02x", c);
        }
    }
}

bool handshake_bearer(struct str authorization, struct str *token) {
    static const char SCHEME[] = "Bearer";
    const size_t len = sizeof SCHEME - 1;
    struct str s = str_trim(authorization);
    if (s.len < len || strncasecmp(s.p, SCHEME, len) != 0) {
        return false;
    }
    if (s.len > len && s.p[len] != ' ' && s.p[len] != '\t') {
        return false;
    }
    *token = str_trim((struct str){s.p + len, s.len - len});
    return true;
}

bool handshake_next_cookie(struct str *rest, const char *name, struct str *value) {
    struct str part;
    size_t name_len = strlen(name);
    while (http_list_next(rest, ';', &part)) {
        if (part.len <= name_len || part.p[name_len] != '=' ||
            memcmp(part.p, name, name_len) != 0) {
            continue;
        }
        *value = (struct str){part.p + name_len + 1, part.len - name_len - 1};
        if (value->len >= 2 && value->p[0] == '"' && value->p[value->len - 1] == '"') {
            *value = (struct str){value->p + 1, value->len - 2};
        }
        return true;
    }
    return false;
}
