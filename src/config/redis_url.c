/* Parses redis.url. */
#include "redis_url.h"

#include <stdlib.h>
#include <string.h>

#include "wslock/base/mem.h"

#include "format.h"

#define DEFAULT_PORT 6379
#define MAX_DATABASE 65535

void config_redis_url_fini(struct config_redis_url *url) {
    mem_free(url->host);
    mem_free(url->unix_path);
    mem_free(url->username);
    if (url->password != NULL) {
        explicit_bzero(url->password, strlen(url->password));
    }
    mem_free(url->password);
    *url = (struct config_redis_url){0};
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decodes. NULL for a % without two hexadecimal digits, or for an encoded NUL. */
static char *decode(struct str text) {
    char *out = mem_alloc(text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int high = -1, low = -1;

        if (text.p[i] != '%') {
            out[len++] = text.p[i];
            continue;
        }
        if (i + 2 < text.len) {
            high = hex_digit(text.p[i + 1]);
            low = hex_digit(text.p[i + 2]);
        }
        if (high < 0 || low < 0 || high + low == 0) {
            explicit_bzero(out, text.len);
            mem_free(out);
            return NULL;
        }
        out[len++] = (char)(high * 16 + low);
        i += 2;
    }
    out[len] = '\0';
    return out;
}

static bool parse_database(struct str text, int *database) {
    int value = 0;

    if (text.len == 0 || text.len > 5) {
        return text.len == 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        value = value * 10 + (text.p[i] - '0');
    }
    *database = value;
    return value <= MAX_DATABASE;
}

static const char *parse_user(struct str user, struct config_redis_url *out) {
    const char *colon = user.len > 0 ? memchr(user.p, ':', user.len) : NULL;
    struct str name = {user.p, colon != NULL ? (size_t)(colon - user.p) : user.len};

    if (name.len > 0) {
        out->username = decode(name);
        if (out->username == NULL) {
            return "% is not followed by two hexadecimal digits in the user";
        }
    }
    if (colon != NULL) {
        out->password = decode((struct str){colon + 1, user.len - name.len - 1});
        if (out->password == NULL) {
            return "% is not followed by two hexadecimal digits in the password";
        }
        if (*out->password == '\0') {
            return "the password is empty";
        }
    }
    return NULL;
}

static const char *parse_host(struct str text, struct config_redis_url *out) {
    struct str host = text;

    out->port = DEFAULT_PORT;
    if (config_split_host_port(text, &host, &out->port)) {
        out->host = str_dup(host);
        return NULL;
    }
    out->port = DEFAULT_PORT;
    host = text;
    if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']') {
        host = (struct str){host.p + 1, host.len - 2};
    } else if (host.len > 0 && memchr(host.p, ':', host.len) != NULL) {
        return "the port must be a number from 1 to 65535";
    }
    if (!config_is_host(host)) {
        return "no host that could be one (a character of a password must be written as %XX)";
    }
    out->host = str_dup(host);
    return NULL;
}

/* Parses the part after "redis://". */
static const char *parse_network(const char *rest, struct config_redis_url *out) {
    size_t len = strcspn(rest, "/?#");
    const char *at = memrchr(rest, '@', len);
    const char *host = at != NULL ? at + 1 : rest;
    const char *wrong =
        at != NULL ? parse_user((struct str){rest, (size_t)(at - rest)}, out) : NULL;

    if (wrong == NULL) {
        wrong = parse_host((struct str){host, (size_t)(rest + len - host)}, out);
    }
    if (wrong != NULL) {
        return wrong;
    }
    rest += len;
    if (!parse_database(str_of(*rest == '/' ? rest + 1 : rest), &out->database)) {
        return "behind the host only /database, a number from 0 to 65535";
    }
    return NULL;
}

/* Parses the part after "unix:". */
static const char *parse_unix(const char *rest, struct config_redis_url *out) {
    size_t len;

    if (strncmp(rest, "///", 3) == 0) {
        rest += 2;
    }
    len = strcspn(rest, "?");
    if (rest[0] != '/' || rest[1] == '/') {
        return "unix: needs an absolute path, such as unix:/run/redis/redis.sock";
    }
    out->unix_path = mem_strndup(rest, len);
    if (config_check_socket_path(out->unix_path) != NULL) {
        return "a socket's path has 107 bytes at most";
    }
    rest += len;
    if (*rest != '\0' && (strncmp(rest, "?db=", 4) != 0 || rest[4] == '\0' ||
                          !parse_database(str_of(rest + 4), &out->database))) {
        return "behind the path only ?db=, with a number from 0 to 65535";
    }
    return NULL;
}

const char *config_redis_url_parse(const char *url, struct config_redis_url *out) {
    const char *wrong = "expected redis://host:port/database, rediss://… or unix:/path";

    *out = (struct config_redis_url){0};
    if (strncmp(url, "redis://", 8) == 0) {
        wrong = parse_network(url + 8, out);
    } else if (strncmp(url, "rediss://", 9) == 0) {
        out->tls = true;
        wrong = parse_network(url + 9, out);
    } else if (strncmp(url, "unix:", 5) == 0) {
        wrong = parse_unix(url + 5, out);
    }
    if (wrong != NULL) {
        config_redis_url_fini(out);
    }
    return wrong;
}
