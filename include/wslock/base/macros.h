/* Attributes and small helpers that every rank uses. */
#ifndef WSLOCK_BASE_MACROS_H
#define WSLOCK_BASE_MACROS_H

#ifdef NDEBUG
#error "assertions are part of the program: do not define NDEBUG"
#endif

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
