/*
 * Memory. Every function ends the process (log line, abort) when memory is exhausted, so callers
 * check nothing; sizes that come from outside must be capped before they arrive here.
 */
#ifndef WSLOCK_BASE_MEM_H
#define WSLOCK_BASE_MEM_H

#include <stddef.h>

#include "wslock/base/macros.h"

void *mem_alloc(size_t size_bytes);
void *mem_zalloc(size_t size_bytes);
/* count * size_bytes, zeroed; overflow ends the process. */
void *mem_calloc(size_t count, size_t size_bytes);
void *mem_realloc(void *ptr, size_t size_bytes);
char *mem_strdup(const char *text);
/* Copies len bytes and adds a NUL. */
char *mem_strndup(const char *text, size_t len);
char *mem_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);
void mem_free(void *ptr);
/* Writes a line to standard error and aborts; the functions above call it. */
_Noreturn void mem_exhausted(void);

#endif
