/* Parses and compares IP addresses; finds the client behind trusted proxies. */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/base/mem.h"

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct address from_v4(const void *bytes) {
    struct address a = {.len = 4};
    memcpy(a.bytes, bytes, 4);
    return a;
}

static struct address from_v6(const uint8_t *bytes) {
    if (memcmp(bytes, MAPPED, sizeof MAPPED) == 0) {
        return from_v4(bytes + sizeof MAPPED);
    }
    struct address a = {.len = 16};
    memcpy(a.bytes, bytes, 16);
    return a;
}

struct address address_of_sockaddr(const struct sockaddr *sa) {
    switch (sa->sa_family) {
    case AF_INET:
        return from_v4(&((const struct sockaddr_in *)(const void *)sa)->sin_addr);
    case AF_INET6:
        return from_v6(((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr);
    default:
        return (struct address){.len = 0};
    }
}

bool address_parse(struct str text, struct address *out) {
    char buf[ADDRESS_TEXT_MAX];
    uint8_t bytes[16];
    if (text.len == 0 || text.len >= sizeof buf || memchr(text.p, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(buf, text.p, text.len);
    buf[text.len] = '\0';
    if (inet_pton(AF_INET, buf, bytes) == 1) {
        *out = from_v4(bytes);
    } else if (inet_pton(AF_INET6, buf, bytes) == 1) {
        *out = from_v6(bytes);
    } else {
        return false;
    }
    return true;
}

void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX]) {
    out[0] = '\0';
    if (a->len != 0) {
        inet_ntop(a->len == 4 ? AF_INET : AF_INET6, a->bytes, out, ADDRESS_TEXT_MAX);
    }
}

struct str address_limit_key(const struct address *a) {
    return (struct str){(const char *)a->bytes, a->len == 16 ? 8 : a->len};
}

static bool range_parse(const char *text, struct address_range *out) {
    const char *slash = strchr(text, '/');
    struct str base = {text, slash != NULL ? (size_t)(slash - text) : strlen(text)};
    if (!address_parse(base, &out->base)) {
        return false;
    }
    /* The part of an IPv4-mapped prefix that precedes the IPv4 address. */
    unsigned long mapped = out->base.len == 4 && memchr(base.p, ':', base.len) != NULL ? 96 : 0;
    unsigned long max = mapped + out->base.len * 8U;
    unsigned long bits = max;
    if (slash != NULL) {
        char *end;
        if (slash[1] < '0' || slash[1] > '9') {
            return false;
        }
        bits = strtoul(slash + 1, &end, 10);
        if (*end != '\0' || bits < mapped || bits > max) {
            return false;
        }
    }
    out->bits = (uint8_t)(bits - mapped);
    return true;
}

bool address_ranges_parse(const struct config_strings *texts, struct address_ranges *out) {
    out->items = mem_calloc(texts->count + 1, sizeof *out->items);
    out->count = 0;
    for (size_t i = 0; i < texts->count; i++) {
        if (!range_parse(texts->items[i], &out->items[out->count++])) {
            address_ranges_fini(out);
            return false;
        }
    }
    return true;
}

void address_ranges_fini(struct address_ranges *r) {
    mem_free(r->items);
    r->items = NULL;
    r->count = 0;
}

static bool range_contains(const struct address_range *r, const struct address *a) {
    if (a->len == 0 || a->len != r->base.len) {
        return false;
    }
    size_t whole = r->bits / 8;
    if (memcmp(a->bytes, r->base.bytes, whole) != 0) {
        return false;
    }
    unsigned rest = r->bits % 8U;
    return rest == 0 || (a->bytes[whole] ^ r->base.bytes[whole]) >> (8 - rest) == 0;
}

bool address_ranges_contain(const struct address_ranges *r, const struct address *a) {
    for (size_t i = 0; i < r->count; i++) {
        if (range_contains(&r->items[i], a)) {
            return true;
        }
    }
    return false;
}

/* "1.2.3.4", "1.2.3.4:56", "::1", "[::1]", "[::1]:56" */
static bool parse_entry(struct str text, struct address *out) {
    text = str_trim(text);
    if (text.len > 0 && text.p[0] == '[') {
        const char *end = memchr(text.p, ']', text.len);
        return end != NULL &&
               address_parse((struct str){text.p + 1, (size_t)(end - text.p) - 1}, out);
    }
    const char *colon = text.len > 0 ? memchr(text.p, ':', text.len) : NULL;
    if (colon != NULL && memchr(text.p, '.', (size_t)(colon - text.p)) != NULL) {
        text.len = (size_t)(colon - text.p);
    }
    return address_parse(text, out);
}

struct address address_behind_proxies(const struct address_ranges *trusted, struct address peer,
                                      struct str forwarded_for) {
    struct str rest = forwarded_for;
    while (rest.len > 0 && address_ranges_contain(trusted, &peer)) {
        const char *comma = memrchr(rest.p, ',', rest.len);
        size_t start = comma != NULL ? (size_t)(comma - rest.p) + 1 : 0;
        if (!parse_entry((struct str){rest.p + start, rest.len - start}, &peer)) {
            break;
        }
        rest.len = comma != NULL ? start - 1 : 0;
    }
    return peer;
}
