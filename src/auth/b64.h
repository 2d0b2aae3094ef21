/* Strict base64url without padding (RFC 7515 §2): each byte sequence has exactly one text. */
#ifndef AUTH_B64_H
#define AUTH_B64_H

#include <stdbool.h>

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"
#include "wslock/base/str.h"

/* Appends the bytes. False (out unchanged) for padding, white space, other characters, an
 * impossible length, or unused bits that are set. */
bool auth_b64_decode(struct str text, struct buf *out) MUST_CHECK;
/* Appends the encoded bytes. */
void auth_b64_encode(struct str bytes, struct buf *out);

#endif
