/*
 * For the application that stores what was edited: whether a fencing token is still that of the
 * lock. A stale token is counted and recorded in the audit.
 */
#ifndef WSLOCK_SESSION_VERIFY_H
#define WSLOCK_SESSION_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/auth/ticket.h"
#include "wslock/base/macros.h"
#include "wslock/wire/resource.h"

struct gateway;

enum verify_verdict {
    VERIFY_UNAVAILABLE, /* the store is away or recovers */
    VERIFY_VALID,
    VERIFY_INVALID,
};

/* A holder, present or past, and its token; 0: none. */
struct verify_grant {
    int64_t token;
    struct str user_id, username;
};

/* Strings are borrowed for the callback. */
struct verify_answer {
    enum verify_verdict verdict;
    struct verify_grant holder; /* VALID */
    int64_t expires_ms;         /* VALID: of the grace period if that runs; the store's clock */
    const char *reason;         /* INVALID: a reason of lock:lost, or TICKET_… */
    int64_t ended_ms;           /* INVALID: when its lock ended; 0: not known, or it has not */
    struct verify_grant superseded_by; /* INVALID: the latest grant after it */
};

typedef void (*verify_cb)(void *arg, const struct verify_answer *answer);

/* The token to verify, given as such or by a ticket. */
struct verify_question {
    struct wire_resource resource; /* of a known type */
    int64_t token;
    char ticket_user[TICKET_USER_MAX]; /* the ticket's user; empty: no ticket */
    int64_t ticket_expires_ms;         /* start of the second in which it expires; 0: no ticket */
};

/* Whether tickets are signed here. */
bool gateway_has_tickets(const struct gateway *g);
/* The public keys of the tickets, as a JSON Web Key Set; empty: none. */
struct str gateway_ticket_jwks(const struct gateway *g);
/* Whether the configuration knows the resource's type, or its room is here since before a reload.
 */
bool gateway_knows_resource(const struct gateway *g, const struct wire_resource *resource);
/* Fills in the question from a ticket; question->resource is set. False with *reason
 * (TICKET_INVALID, OTHER_RESOURCE): the ticket is refused, and that is recorded in the audit. */
bool gateway_read_ticket(struct gateway *g, struct str ticket, struct verify_question *question,
                         const char **reason) MUST_CHECK;
/* cb is called once, never from inside. */
void gateway_verify_lock(struct gateway *g, const struct verify_question *question, verify_cb cb,
                         void *arg);

#endif
