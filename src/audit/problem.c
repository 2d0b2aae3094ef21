#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "wslock/base/mem.h"

char *problem_text(const char *fmt, ...) {
    char text[1024];
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return mem_strdup(n < 0 ? fmt : text);
}
