/*
 * Who may still come in: connections in all and per address, handshakes per second and address. One
 * entry an address, kept while it has sockets or its bucket is not full again. A connection counts
 * from its accept, where its address is known then, else from its request. Pure.
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

/* Sockets of one address, beyond its limit, that are kept until their request can be refused. */
#define ADMIT_TOLD_MAX 8

enum admit_result { ADMIT_OK, ADMIT_FULL, ADMIT_ADDRESS_FULL };

/* A socket's share of the limits; all zero: none. Released by admit_leave. */
struct admit_place {
    struct admit_entry *entry;
    bool counted; /* as a connection; else it waits for its refusal */
};

struct admit *admit_create(void);
void admit_destroy(struct admit **a);
/* Takes one handshake of this second; false: there is none left. */
bool admit_handshake(struct admit *a, const struct admit_limits *limits, const struct address *from,
                     uint64_t now_us) MUST_CHECK;
/* A socket has come: counts it, or keeps it to be told. False: too many of its address already
 * wait for that, and nothing was taken. */
bool admit_accept(struct admit *a, const struct admit_limits *limits, const struct address *from,
                  uint64_t now_us, struct admit_place *place) MUST_CHECK;
/* Its request has come: counts the connection if it is not counted yet. */
enum admit_result admit_enter(struct admit *a, const struct admit_limits *limits,
                              const struct address *from, uint64_t now_us,
                              struct admit_place *place) MUST_CHECK;
/* Releases the share; a second call does nothing. */
void admit_leave(struct admit *a, struct admit_place *place, uint64_t now_us);

#endif
