/*
 * Limits on connections, in total and per address, and on handshakes per second and address. Each
 * address has one entry while it has sockets or its bucket is not full. A connection counts from
 * its accept if its address is known then, else from its request. Pure.
 */
#ifndef WSLOCK_NET_ADMIT_H
#define WSLOCK_NET_ADMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "wslock/base/macros.h"

struct admit;
struct admit_entry;

struct admit_limits {
    int64_t connections;
    int64_t connections_per_address; /* or CONFIG_NO_LIMIT */
    int64_t handshakes_per_second;   /* per address */
};

/* Sockets of one address beyond its limit: they stay open until their request can be refused. */
#define ADMIT_TOLD_MAX 8

enum admit_result { ADMIT_OK, ADMIT_FULL, ADMIT_ADDRESS_FULL };

/* A socket's share of the limits; all zero: none. Released by admit_leave. */
struct admit_place {
    struct admit_entry *entry;
    bool counted; /* as a connection; false: it waits for its refusal */
};

struct admit *admit_create(void);
void admit_destroy(struct admit **a);
/* Counts a handshake. False: the address has used up its rate. */
bool admit_handshake(struct admit *a, const struct admit_limits *limits, const struct address *from,
                     uint64_t now_us) MUST_CHECK;
/* A socket was accepted: counts it as a connection, or lets it wait for its refusal. False: too
 * many of its address already wait, and nothing was counted. */
bool admit_accept(struct admit *a, const struct admit_limits *limits, const struct address *from,
                  uint64_t now_us, struct admit_place *place) MUST_CHECK;
/* The request was read: counts the connection unless it is counted already. */
enum admit_result admit_enter(struct admit *a, const struct admit_limits *limits,
                              const struct address *from, uint64_t now_us,
                              struct admit_place *place) MUST_CHECK;
/* Releases the share; a second call does nothing. */
void admit_leave(struct admit *a, struct admit_place *place, uint64_t now_us);

#endif
