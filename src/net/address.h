/* IP addresses as bytes: text, ranges, and the client behind trusted proxies. Pure. */
#ifndef WSLOCK_NET_ADDRESS_H
#define WSLOCK_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"
#include "wslock/config/config.h"

#define ADDRESS_TEXT_MAX 46 /* with its NUL */

/* IPv4-mapped IPv6 addresses are stored as IPv4. */
struct address {
    uint8_t len; /* 4, 16, or 0: none (a unix socket) */
    uint8_t bytes[16];
};

struct address_range {
    struct address base;
    uint8_t bits;
};

struct address_ranges {
    struct address_range *items;
    size_t count;
};

struct address address_of_sockaddr(const struct sockaddr *sa);
/* Without brackets, port or zone. */
bool address_parse(struct str text, struct address *out) MUST_CHECK;
void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX]);
/* The key of per-address limits: an IPv4 address, or the /64 of an IPv6 address. */
struct str address_limit_key(const struct address *a);

/* "10.0.0.0/8", "::1", …; false: a text is not a range. */
bool address_ranges_parse(const struct config_strings *texts,
                          struct address_ranges *out) MUST_CHECK;
void address_ranges_fini(struct address_ranges *r);
bool address_ranges_contain(const struct address_ranges *r, const struct address *a);

/*
 * The rightmost address of `peer, X-Forwarded-For` that is not a trusted proxy's. If an entry is
 * not an address, the result is the proxy that sent it. (A port after the address is allowed.)
 */
struct address address_behind_proxies(const struct address_ranges *trusted, struct address peer,
                                      struct str forwarded_for);

#endif
