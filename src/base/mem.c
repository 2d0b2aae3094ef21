/* Allocation that ends the process when memory is exhausted. */
#include "wslock/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void mem_exhausted(void) {
    /* No allocation here, so not by way of log_write; the prefix is journald's "critical". */
    static const char line[] = "<2>out_of_memory\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void)written;
    abort();
}

void *mem_alloc(size_t size_bytes) {
    void *ptr = malloc(size_bytes > 0 ? size_bytes : 1);
    if (ptr == NULL) {
        mem_exhausted();
    }
    return ptr;
}

/* glibc keeps freed chunks up to this size at hand for malloc (its tcache), but calloc takes none
 * of them. */
#define MALLOC_CACHED_MAX 1032

void *mem_zalloc(size_t size_bytes) {
    if (size_bytes > MALLOC_CACHED_MAX) {
        return mem_calloc(1, size_bytes);
    }
    void *ptr = mem_alloc(size_bytes);
    memset(ptr, 0, size_bytes);
    return ptr;
}

void *mem_calloc(size_t count, size_t size_bytes) {
    void *ptr = count > 0 && size_bytes > 0 ? calloc(count, size_bytes) : calloc(1, 1);
    if (ptr == NULL) {
        mem_exhausted();
    }
    return ptr;
}

void *mem_realloc(void *ptr, size_t size_bytes) {
    void *moved = realloc(ptr, size_bytes > 0 ? size_bytes : 1);
    if (moved == NULL) {
        mem_exhausted();
    }
    return moved;
}

char *mem_strdup(const char *text) {
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t len) {
    if (len == SIZE_MAX) {
        mem_exhausted();
    }
    char *copy = mem_alloc(len + 1);
    if (len > 0) {
        memcpy(copy, text, len);
    }
    copy[len] = '\0';
    return copy;
}

char *mem_printf(const char *fmt, ...) {
    char *text;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0) {
        mem_exhausted();
    }
    va_end(args);
    return text;
}

void mem_free(void *ptr) {
    free(ptr);
}
