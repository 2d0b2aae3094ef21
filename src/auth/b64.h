/* base64url without padding (RFC 7515 §2), strictly: one text for each run of bytes. */
#ifndef AUTH_B64_H
#define AUTH_B64_H

#include <stdbool.h>

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"
#include "wslock/base/str.h"

/* Appends the bytes. False (out as it was) for padding, white space, other characters, an
 * impossible length, or bits set that no byte takes. */
bool auth_b64_decode(struct str text, struct buf *out) MUST_CHECK;
/* Appends the text of the bytes. */
void auth_b64_encode(struct str bytes, struct buf *out);

#endif
