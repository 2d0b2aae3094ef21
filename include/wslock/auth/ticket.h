/*
 * Lock tickets: a lock's fencing token as a JWT (ES256), which an application's save handler checks
 * by itself (docs/saving-safely.md). The private key is parsed once: parsing its PEM for each
 * ticket would cost twenty times the signature.
 */
#ifndef WSLOCK_AUTH_TICKET_H
#define WSLOCK_AUTH_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"
#include "wslock/base/str.h"

#define TICKET_KEYS_MAX 8
#define TICKET_RESOURCE_MAX 320 /* longer than any resource id */
#define TICKET_USER_MAX 320     /* longer than any user id */

struct ticket_keys;

/* Reads a PEM file with one or more private keys on the curve P-256. The first signs; tickets of
 * all of them are accepted and all public keys are published, so that keys can be rotated. NULL
 * with *problem (heap, the caller's), which names the key `tickets.signingKeyFile`. */
struct ticket_keys *ticket_keys_load(const char *file, char **problem) MUST_CHECK;
void ticket_keys_destroy(struct ticket_keys **keys);
/* The public keys as a JSON Web Key Set (RFC 7517), each with its thumbprint (RFC 7638) as `kid`.
 * Borrowed from keys. */
struct str ticket_keys_jwks(const struct ticket_keys *keys);

struct ticket {
    struct str user_id;  /* sub */
    struct str resource; /* res */
    int64_t fence;
    int64_t issued_unix_ms, expires_unix_ms; /* written in whole seconds, rounded down */
};

/* Appends the ticket. False (out unchanged) if OpenSSL fails. */
bool ticket_sign(const struct ticket_keys *keys, const struct ticket *ticket,
                 struct buf *out) MUST_CHECK;

struct ticket_claims {
    char user_id[TICKET_USER_MAX];
    char resource[TICKET_RESOURCE_MAX];
    int64_t fence;
    int64_t expires_unix_ms; /* the start of the second in which it expires */
};

/* Accepts a ticket that one of the keys has signed, even an expired one. False with *why, a static
 * sentence. */
bool ticket_read(const struct ticket_keys *keys, struct str text, struct ticket_claims *out,
                 const char **why) MUST_CHECK;

#endif
