/* Makes the display name of a token safe to show next to other names. */
#ifndef AUTH_NAME_H
#define AUTH_NAME_H

#include <stdbool.h>

#include "wslock/base/buf.h"
#include "wslock/base/str.h"

/* Whether it has a control character (C0, DEL, C1). */
bool auth_text_has_control(struct str text);
/* Whether nothing is visible: the text is empty, or holds only white space and characters that
 * auth_name_append removes. */
bool auth_text_is_blank(struct str text);
/* Appends the name (valid UTF-8) as it is shown: without control, zero-width and direction-override
 * characters, line separators and fillers, then cut to AUTH_MAX_NAME_BYTES at a whole character,
 * with the marks that belong to it. NULL, or a static sentence that says what was changed. */
const char *auth_name_append(struct buf *out, struct str name);

#endif
