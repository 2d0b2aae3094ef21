/* Checks of single texts: addresses, names, URLs. */
#include "format.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define MAX_TEXT_BYTES 256

static bool only(const char *text, const char *allowed) {
    return text[strspn(text, allowed)] == '\0';
}

/* Parses an address literal: its length in bytes (4 or 16), or 0. */
static size_t parse_address(const char *text, unsigned char out[16]) {
    if (inet_pton(AF_INET, text, out) == 1) {
        return 4;
    }
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

const char *config_check_address(const char *text) {
    unsigned char bytes[16];

    return parse_address(text, bytes) ? NULL : "an IP address, without brackets or port";
}

bool config_is_loopback(const char *address) {
    static const unsigned char V6[16] = {[15] = 1};
    unsigned char bytes[16];
    size_t len = parse_address(address, bytes);

    return len == 4 ? bytes[0] == 127 : len == 16 && memcmp(bytes, V6, sizeof V6) == 0;
}

const char *config_check_alg(const char *text) {
    static const char *const ALGS[] = {
#define ALG(id, name, family, digest, size_bytes, group) name,
#include "wslock/config/algs.def"
#undef ALG
    };
    static const char NAMES[] = /* ", HS256, HS384" and so on */
#define ALG(id, name, family, digest, size_bytes, group) ", " name
#include "wslock/config/algs.def"
#undef ALG
        ;
    static char expected[sizeof "one of " + sizeof NAMES];

    for (size_t i = 0; i < ARRAY_LEN(ALGS); i++) {
        if (strcmp(text, ALGS[i]) == 0) {
            return NULL;
        }
    }
    (void)snprintf(expected, sizeof expected, "one of %s", &NAMES[2]);
    return expected;
}

const char *config_check_cidr(const char *text) {
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    size_t bits, size;

    if (len >= sizeof address) {
        return "a network such as 10.0.0.0/8";
    }
    memcpy(address, text, len);
    address[len] = '\0';
    size = parse_address(address, bytes);
    if (size == 0) {
        return "a network such as 10.0.0.0/8";
    }
    if (slash == NULL) {
        return NULL;
    }
    if (slash[1] == '\0' || strlen(slash + 1) > 3 || !only(slash + 1, DIGITS)) {
        return "a network such as 10.0.0.0/8";
    }
    bits = (size_t)strtoul(slash + 1, NULL, 10);
    if (bits > size * 8) {
        return "a prefix length that the address has bits for";
    }
    for (size_t i = bits; i < size * 8; i++) {
        if (bytes[i / 8] & (0x80 >> (i % 8))) {
            return "a network: no bits set behind its prefix length";
        }
    }
    return NULL;
}

const char *config_check_claim(const char *text) {
    if (config_check_text(text) != NULL) {
        return config_check_text(text);
    }
    if (text[0] != '/') {
        return NULL;
    }
    for (const char *p = strchr(text, '~'); p != NULL; p = strchr(p + 1, '~')) {
        if (p[1] != '0' && p[1] != '1') {
            return "a JSON pointer, in which ~ stands only in ~0 and ~1";
        }
    }
    return NULL;
}

const char *config_check_cookie(const char *text) {
    if (config_check_text(text) != NULL || !only(text, LOWER UPPER DIGITS "!#$%&'*+-.^_`|~")) {
        return "a cookie name";
    }
    return NULL;
}

const char *config_check_fd_name(const char *text) {
    if (config_check_text(text) != NULL || strchr(text, ':') != NULL) {
        return "a FileDescriptorName of 1 to 256 characters without a colon";
    }
    return NULL;
}

const char *config_check_instance(const char *text) {
    if (*text == '\0' || strlen(text) > 128 || !only(text, LOWER UPPER DIGITS "._:@-")) {
        return "1 to 128 letters, digits or one of . _ : @ -";
    }
    return NULL;
}

const char *config_check_key_prefix(const char *text) {
    if (*text == '\0' || strlen(text) > 32 || !only(text, LOWER UPPER DIGITS "._-")) {
        return "1 to 32 letters, digits or one of . _ -";
    }
    return NULL;
}

bool config_is_host(struct str host) {
    char name[254];
    unsigned char bytes[16];

    if (host.len == 0 || host.len >= sizeof name) {
        return false;
    }
    memcpy(name, host.p, host.len);
    name[host.len] = '\0';
    return only(name, LOWER UPPER DIGITS "._-") || parse_address(name, bytes) == 16;
}

bool config_split_host_port(struct str text, struct str *host, int *port) {
    size_t colon = text.len;
    long number = 0;

    while (colon > 0 && text.p[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0 || colon == text.len || text.len - colon > 5) {
        return false;
    }
    for (size_t i = colon; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        number = number * 10 + (text.p[i] - '0');
    }
    *host = (struct str){text.p, colon - 1};
    if (host->len >= 2 && host->p[0] == '[' && host->p[host->len - 1] == ']') {
        *host = (struct str){host->p + 1, host->len - 2};
    } else if (memchr(host->p, ':', host->len) != NULL) {
        return false; /* IPv6 without brackets */
    }
    *port = (int)number;
    return number >= 1 && number <= 65535 && config_is_host(*host);
}

const char *config_check_node(const char *text) {
    struct str host;
    int port;

    return config_split_host_port(str_of(text), &host, &port) ? NULL
                                                              : "host:port, or [address]:port";
}

/* Browsers omit the default port of the scheme, so an origin that has it would never match. */
static const char *check_origin_port(const char *text, int port) {
    if ((strncmp(text, "https:", 6) == 0 && port == 443) ||
        (strncmp(text, "http:", 5) == 0 && port == 80)) {
        return "an origin without the scheme's own port, as browsers send it";
    }
    return NULL;
}

const char *config_check_origin(const char *text) {
    static const char EXPECTED[] = "scheme://host or scheme://host:port in small letters, "
                                   "\"null\", file://, or \"*\"";
    const char *colon = strstr(text, "://");
    struct str host, rest;
    int port;

    if (strcmp(text, "*") == 0 || strcmp(text, "null") == 0 || strcmp(text, "file://") == 0) {
        return NULL;
    }
    if (colon == NULL || colon == text ||
        strspn(text, LOWER DIGITS "+.-") != (size_t)(colon - text) || *text < 'a' ||
        strlen(text) > MAX_TEXT_BYTES) {
        return EXPECTED;
    }
    rest = str_of(colon + 3);
    if (rest.len == 0 || strpbrk(rest.p, UPPER "/?#@ ") != NULL) {
        return EXPECTED;
    }
    if (config_split_host_port(rest, &host, &port)) {
        return check_origin_port(text, port);
    }
    if (rest.p[0] == '[' && rest.p[rest.len - 1] == ']') {
        rest = (struct str){rest.p + 1, rest.len - 2};
    } else if (memchr(rest.p, ':', rest.len) != NULL) {
        return EXPECTED;
    }
    return config_is_host(rest) ? NULL : EXPECTED;
}

const char *config_check_resource_type(const char *text) {
    if (*text < 'a' || *text > 'z' || strlen(text) > 64 || !only(text, LOWER DIGITS "-")) {
        return "a resource type: a small letter, then up to 63 small letters, digits or -";
    }
    return NULL;
}

const char *config_check_socket_path(const char *text) {
    if (*text == '\0' || strlen(text) >= sizeof((struct sockaddr_un *)0)->sun_path) {
        return "a path of 1 to 107 bytes";
    }
    return NULL;
}

const char *config_check_text(const char *text) {
    return *text == '\0' || strlen(text) > MAX_TEXT_BYTES ? "a text of 1 to 256 bytes" : NULL;
}

const char *config_check_tls_version(const char *text) {
    return strcmp(text, "1.2") == 0 || strcmp(text, "1.3") == 0 ? NULL : "\"1.2\" or \"1.3\"";
}

/* The host, without brackets. False: it is not an http or https URL, or has a user. */
static bool url_host(const char *text, struct str *host) {
    const char *authority;
    int port;

    if (strncmp(text, "https://", 8) == 0) {
        authority = text + 8;
    } else if (strncmp(text, "http://", 7) == 0) {
        authority = text + 7;
    } else {
        return false;
    }
    *host = (struct str){authority, strcspn(authority, "/?#")};
    if (memchr(host->p, '@', host->len) != NULL) {
        return false;
    }
    if (config_split_host_port(*host, host, &port)) {
        return true;
    }
    if (host->len > 2 && host->p[0] == '[' && host->p[host->len - 1] == ']') {
        *host = (struct str){host->p + 1, host->len - 2};
    } else if (host->len > 0 && memchr(host->p, ':', host->len) != NULL) {
        return false;
    }
    return config_is_host(*host);
}

const char *config_check_url(const char *text) {
    struct str host;

    return strlen(text) <= 2048 && strpbrk(text, " \"<>\\^`{|}") == NULL && url_host(text, &host)
               ? NULL
               : "an http or https URL without a user";
}

bool config_url_is_safe(const char *url) {
    char name[64];
    struct str host;

    if (!url_host(url, &host) || strncmp(url, "https://", 8) == 0) {
        return true;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)host.len, host.p);
    return strcasecmp(name, "localhost") == 0 || config_is_loopback(name);
}

const char *config_check_url_path(const char *text) {
    size_t len = strlen(text);

    if (text[0] != '/' || len < 2 || len > 128 || strstr(text, "//") != NULL ||
        strstr(text, "/.") != NULL || !only(text, LOWER UPPER DIGITS "/._~-")) {
        return "a path such as /ws: letters, digits and . _ ~ - between slashes";
    }
    return NULL;
}
