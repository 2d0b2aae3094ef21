/* Small files that are read whole. */
#ifndef AUTH_FILE_H
#define AUTH_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"

/* Appends the content. False with a static sentence in *why when it cannot be read, is no regular
 * file or holds more than max_bytes. */
bool auth_file_read(const char *path, size_t max_bytes, struct buf *out,
                    const char **why) MUST_CHECK;
/* Frees a buffer that held a secret, wiping it. */
void auth_secret_fini(struct buf *b);

#endif
