/* Numbers with units, as text and back. */
#ifndef WSLOCK_CONFIG_UNIT_H
#define WSLOCK_CONFIG_UNIT_H

#include "wslock/config/config.h"

/* "12", "-3": decimal, without leading zeros. False: not such a text, or of more than 11 digits. */
bool config_parse_count(const char *text, int64_t *value);
/* "250ms", "30s", "5m", "12h" in milliseconds. */
bool config_parse_duration(const char *text, int64_t *ms);
/* "16KiB", "1MiB", "4096" in bytes. */
bool config_parse_size(const char *text, int64_t *bytes);

/* The shortest text that the parse functions read as the same value. */
void config_print_duration(int64_t ms, struct buf *out);
void config_print_size(int64_t bytes, struct buf *out);

#endif
