/* How a display name is shown: what a token says, made fit to stand beside other people's names. */
#ifndef AUTH_NAME_H
#define AUTH_NAME_H

#include <stdbool.h>

#include "wslock/base/buf.h"
#include "wslock/base/str.h"

/* Whether there is a control character (C0, DEL, C1) in it. */
bool auth_text_has_control(struct str text);
/* Whether there is nothing to see: only white space of any kind, and what auth_name_append takes
 * out. True for the empty text. */
bool auth_text_is_blank(struct str text);
/* Appends the name (valid UTF-8) as it is shown: without control, zero-width and direction-override
 * characters, line separators and fillers, then cut to AUTH_MAX_NAME_BYTES at a whole character,
 * with the marks that belong to it. NULL, or a static sentence that says what was changed. */
const char *auth_name_append(struct buf *out, struct str name);

#endif
