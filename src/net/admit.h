/*
 * Who may still come in: connections in all and per address, handshakes per second and address. One
 * entry an address, kept while it has connections or its bucket is not full again. Pure.
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

enum admit_result { ADMIT_OK, ADMIT_FULL, ADMIT_ADDRESS_FULL };

struct admit *admit_create(void);
void admit_destroy(struct admit **a);
/* Takes one handshake of this second; false: there is none left. */
bool admit_handshake(struct admit *a, const struct admit_limits *limits, const struct address *from,
                     uint64_t now_us) MUST_CHECK;
/* Counts a connection; on ADMIT_OK *entry is what admit_leave wants back. */
enum admit_result admit_enter(struct admit *a, const struct admit_limits *limits,
                              const struct address *from, uint64_t now_us,
                              struct admit_entry **entry) MUST_CHECK;
void admit_leave(struct admit *a, struct admit_entry **entry, uint64_t now_us);
size_t admit_connections(const struct admit *a);
/* Addresses remembered. */
size_t admit_entries(const struct admit *a);

#endif
