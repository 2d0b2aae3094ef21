/* The files that a configuration names. One that is no regular file, a pipe say, could make a
 * reader wait for ever, and is refused. */
#ifndef WSLOCK_BASE_FILE_H
#define WSLOCK_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"

/* Appends the content. False with a static sentence in *why when it cannot be read, is no regular
 * file or holds more than max_bytes. */
bool file_read(const char *path, size_t max_bytes, struct buf *out, const char **why) MUST_CHECK;
/* For what a library opens by its name: false with a static sentence in *why when there is no
 * regular file. */
bool file_check(const char *path, const char **why) MUST_CHECK;

#endif
