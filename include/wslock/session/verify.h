/*
 * For whoever stores what was edited: whether a fencing token is still that of the lock. A stale
 * one is counted and stands in the audit.
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
    VERIFY_UNAVAILABLE, /* the store cannot be asked, or cannot say */
    VERIFY_VALID,
    VERIFY_INVALID,
};

/* Who has, or had, a lock, under which token; token 0: nobody. */
struct verify_grant {
    int64_t token;
    struct str user_id, username;
};

/* Everything is borrowed for the callback. */
struct verify_answer {
    enum verify_verdict verdict;
    struct verify_grant holder; /* VALID */
    int64_t expires_ms;         /* VALID: of the grace, where it is in that; the store's clock */
    const char *reason;         /* INVALID: a reason of lock:lost, or TICKET_… */
    int64_t ended_ms; /* INVALID: when its lock ended; 0: nobody remembers, or it has not */
    struct verify_grant superseded_by; /* INVALID: the latest grant after it */
};

typedef void (*verify_cb)(void *arg, const struct verify_answer *answer);

/* What is asked about: the token of a lock, as told or as a ticket has it. */
struct verify_question {
    struct wire_resource resource; /* of a known type */
    int64_t token;
    char ticket_user[TICKET_USER_MAX]; /* whose it is; empty: no ticket */
    int64_t ticket_expires_ms; /* when the second begins in which the ticket ends; 0: no ticket */
};

/* Whether tickets are signed here. */
bool gateway_has_tickets(const struct gateway *g);
/* The public halves of the keys that tickets are signed with, a JSON Web Key Set; empty: none. */
struct str gateway_ticket_jwks(const struct gateway *g);
/* Whether the configuration knows resources of this type. */
bool gateway_knows_type(const struct gateway *g, struct str type);
/* Takes from a ticket what is asked about; question->resource is set. False with *reason
 * (TICKET_INVALID, OTHER_RESOURCE): it is not to be believed; that stands in the audit. */
bool gateway_read_ticket(struct gateway *g, struct str ticket, struct verify_question *question,
                         const char **reason) MUST_CHECK;
/* cb is called once, never from within. */
void gateway_verify_lock(struct gateway *g, const struct verify_question *question, verify_cb cb,
                         void *arg);

#endif
