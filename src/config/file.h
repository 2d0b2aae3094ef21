/* Reading small files whole. */
#ifndef WSLOCK_CONFIG_FILE_H
#define WSLOCK_CONFIG_FILE_H

#include <stdbool.h>

#include "wslock/base/buf.h"

/* Appends the file to `out`. False when it cannot be read (errno tells why; EFBIG when it is longer
 * than max_bytes). */
bool config_read_file(const char *path, size_t max_bytes, struct buf *out);

#endif
