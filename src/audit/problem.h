/* A sentence for the operator, on the heap. */
#ifndef WSLOCK_AUDIT_PROBLEM_H
#define WSLOCK_AUDIT_PROBLEM_H

#include "wslock/base/macros.h"

char *problem_text(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
