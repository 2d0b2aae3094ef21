#include "handshake.h"

#include <assert.h>
#include <ctype.h>
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

static bool equals_ignoring_case(struct str s, const char *text) {
    return s.len == strlen(text) && strncasecmp(s.p, text, s.len) == 0;
}

/* The next part of a list; false at its end. */
static bool next_part(struct str *rest, char separator, struct str *part) {
    if (rest->p == NULL)
        return false;
    const char *end = rest->len > 0 ? memchr(rest->p, separator, rest->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - rest->p) : rest->len;
    *part = str_trim((struct str){rest->p, len});
    if (end != NULL)
        *rest = (struct str){end + 1, rest->len - len - 1};
    else
        *rest = (struct str){NULL, 0};
    return true;
}

static bool lists_upgrade(struct str connection) {
    struct str part;
    if (connection.len > HANDSHAKE_CONNECTION_MAX)
        return false;
    while (next_part(&connection, ',', &part)) {
        if (equals_ignoring_case(part, "upgrade"))
            return true;
    }
    return false;
}

static bool is_base64_char(char c) {
    return isalnum((unsigned char)c) || c == '+' || c == '/';
}

/* 16 bytes are 22 characters and two pads; the last character carries two bits. */
static bool is_key(struct str key) {
    if (key.len != 24 || key.p[22] != '=' || key.p[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        if (!is_base64_char(key.p[i]))
            return false;
    }
    return memchr("AQgw", key.p[21], 4) != NULL;
}

/* Names of letters, digits, '-', '.' and '_': those that libwebsockets reads without a stumble. */
static bool is_protocol_name(struct str name) {
    for (size_t i = 0; i < name.len; i++) {
        if (!isalnum((unsigned char)name.p[i]) && memchr("-._", name.p[i], 3) == NULL)
            return false;
    }
    return name.len > 0 && name.len < 64;
}

static bool offers_protocol(struct str protocols) {
    struct str part;
    bool found = false;
    if (protocols.len > HANDSHAKE_PROTOCOL_LIST_MAX)
        return false;
    while (next_part(&protocols, ',', &part)) {
        if (!is_protocol_name(part))
            return false;
        found = found || str_eqz(part, HANDSHAKE_SUBPROTOCOL);
    }
    return found;
}

static bool is_allowed_origin(const struct config *config, struct str origin) {
    const struct config_strings *allowed = &config->allowed_origins;
    for (size_t i = 0; i < allowed->count; i++) {
        if (strcmp(allowed->items[i], "*") == 0 || str_eqz(origin, allowed->items[i]))
            return true;
    }
    return false;
}

enum handshake_verdict handshake_check(const struct config *config,
                                       const struct handshake_request *r) {
    if (!str_eqz(r->path, config->paths.native))
        return HANDSHAKE_NO_SUCH_PATH;
    if (!r->is_get)
        return HANDSHAKE_METHOD;
    if (!str_eqz(r->http_version, "HTTP/1.1"))
        return HANDSHAKE_HTTP_VERSION;
    if (r->host.len == 0)
        return HANDSHAKE_HOST;
    if (!equals_ignoring_case(r->upgrade, "websocket"))
        return HANDSHAKE_UPGRADE;
    if (!lists_upgrade(r->connection))
        return HANDSHAKE_CONNECTION;
    if (!str_eqz(r->ws_version, "13"))
        return HANDSHAKE_WS_VERSION;
    if (!is_key(r->key))
        return HANDSHAKE_KEY;
    if (!offers_protocol(r->protocols))
        return HANDSHAKE_PROTOCOL;
    if (r->has_origin && !is_allowed_origin(config, r->origin))
        return HANDSHAKE_ORIGIN;
    return HANDSHAKE_OK;
}

bool handshake_bearer(struct str authorization, struct str *token) {
    static const char SCHEME[] = "Bearer";
    const size_t len = sizeof SCHEME - 1;
    struct str s = str_trim(authorization);
    if (s.len < len || strncasecmp(s.p, SCHEME, len) != 0)
        return false;
    if (s.len > len && s.p[len] != ' ' && s.p[len] != '\t')
        return false;
    *token = str_trim((struct str){s.p + len, s.len - len});
    return true;
}

bool handshake_cookie(struct str header, const char *name, struct str *value) {
    struct str part;
    size_t name_len = strlen(name);
    while (next_part(&header, ';', &part)) {
        if (part.len <= name_len || part.p[name_len] != '=' || memcmp(part.p, name, name_len) != 0)
            continue;
        *value = (struct str){part.p + name_len + 1, part.len - name_len - 1};
        if (value->len >= 2 && value->p[0] == '"' && value->p[value->len - 1] == '"')
            *value = (struct str){value->p + 1, value->len - 2};
        return true;
    }
    return false;
}
