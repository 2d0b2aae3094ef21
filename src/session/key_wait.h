/*
 * A token whose key is not known yet: the session keeps the request, and checks the token again
 * when the keys of the identity provider have been fetched (auth.jwks.url).
 */
#ifndef WSLOCK_SESSION_KEY_WAIT_H
#define WSLOCK_SESSION_KEY_WAIT_H

#include "registry.h"
#include "state.h"

/* Checks the token of a request that came at that boot time, and answers it or has it wait (again).
 * 0: it has waited for too long. */
typedef void key_wait_check(struct session *s, const struct wire_request *r,
                            uint64_t since_boot_ms);

/* Keeps a copy of r, whose token has AUTH_UNKNOWN_KEY, for at most authTimeout. False if waiting is
 * of no use, or too many wait. The session has no other. */
bool key_wait_begin(struct session *s, const struct wire_request *r, uint64_t since_boot_ms,
                    key_wait_check *check) MUST_CHECK;
/* Whether a request waits, not a cookie (kind WIRE_REQ_COUNT). */
bool key_wait_has_request(const struct session *s);
/* Forgets the request. Harmless if there is none. */
void key_wait_end(struct session *s);
/* Checks the session's token for the last time. Harmless if none waits. */
void key_wait_expire(struct session *s);
/* Checks all again, a few in each turn of the loop. */
void key_wait_retry_all(struct gateway *g);
/* No session is left. */
void key_wait_fini(struct gateway *g);

#endif
