/*
 * Memory for what comes and goes with each request. Freed pieces are kept for the next request: of
 * each size, malloc itself keeps only a few at hand, and hundreds of requests are open at once.
 * For the thread of the loop only.
 */
#ifndef WSLOCK_BASE_SPARE_H
#define WSLOCK_BASE_SPARE_H

#include <stddef.h>

/* Never NULL; see mem.h. */
void *spare_alloc(size_t size_bytes);
/* size_bytes: as it was allocated. */
void spare_free(void *ptr, size_t size_bytes);

#endif
