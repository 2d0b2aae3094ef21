/* The parts of a compact JWS (RFC 7515 §7.1), before its signature is checked. */
#ifndef AUTH_COMPACT_H
#define AUTH_COMPACT_H

#include <jansson.h>

#include "wslock/base/buf.h"

#include "alg.h"

struct auth_compact {
    enum auth_alg alg;
    struct str kid; /* p NULL: none; borrowed from header */
    json_t *header;
    struct str signed_part; /* borrowed from the token */
    struct buf payload;
    struct buf signature;
};

/* Fills *out, which auth_compact_fini takes in any case. NULL, or a static sentence: too long, not
 * three parts of strict base64url, a header that is not one strict JSON object, an `alg` that is
 * not known, `crit`, `b64` other than true, a `kid` that is not a text, no signature. */
const char *auth_compact_read(struct str token, struct auth_compact *out) MUST_CHECK;
/* The payload's object, the caller's reference; NULL with a static sentence in *why. */
json_t *auth_compact_claims(const struct auth_compact *compact, const char **why) MUST_CHECK;
void auth_compact_fini(struct auth_compact *compact);

#endif
