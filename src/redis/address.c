/* Checked addresses of servers. */
#include "wslock/redis/address.h"

#include <string.h>

#define HOST_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:_%-"

bool redis_address_set(struct redis_address *a, struct str host, int64_t port) {
    if (host.len == 0 || host.len >= sizeof a->host || port < 1 || port > 65535) {
        return false;
    }
    memcpy(a->host, host.p, host.len);
    a->host[host.len] = '\0';
    a->port = (int)port;
    a->asking = false;
    return strspn(a->host, HOST_CHARACTERS) == host.len;
}

static bool read_port(struct str text, int64_t *out) {
    *out = 0;
    if (text.len == 0 || text.len > 5) { /* five digits cannot overflow */
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        *out = *out * 10 + (text.p[i] - '0');
    }
    return true;
}

bool redis_address_parse(struct redis_address *a, struct str text) {
    const char *colon = text.len > 0 ? memrchr(text.p, ':', text.len) : NULL;
    struct str host, port;
    int64_t number;

    if (colon == NULL) {
        return false;
    }
    host = (struct str){text.p, (size_t)(colon - text.p)};
    port = (struct str){colon + 1, text.len - host.len - 1};
    if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']') {
        host = (struct str){host.p + 1, host.len - 2};
    }
    return read_port(port, &number) && redis_address_set(a, host, number);
}

bool redis_address_eq(const struct redis_address *a, const struct redis_address *b) {
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}
