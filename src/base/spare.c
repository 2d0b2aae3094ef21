/* Free lists, one for each size in steps of 64 bytes. */
#include "wslock/base/spare.h"

#include <stdbool.h>

#include "wslock/base/mem.h"

#define STEP_BYTES 64
#define PIECE_MAX_BYTES 1024
#define KEPT_MAX 256 /* of a size */

/* The address sanitizer finds no use of a freed piece that is kept here. */
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS false
#elif defined(__has_feature)
#define KEEPS (!__has_feature(address_sanitizer))
#else
#define KEEPS true
#endif

struct piece {
    struct piece *next;
};

static struct {
    struct piece *first;
    unsigned count;
} kept[PIECE_MAX_BYTES / STEP_BYTES];

void *spare_alloc(size_t size_bytes) {
    size_t i = size_bytes > 0 ? (size_bytes - 1) / STEP_BYTES : 0;
    if (i >= ARRAY_LEN(kept)) {
        return mem_alloc(size_bytes);
    }
    struct piece *piece = kept[i].first;
    if (piece == NULL) {
        return mem_alloc(KEEPS ? (i + 1) * STEP_BYTES : size_bytes);
    }
    kept[i].first = piece->next;
    kept[i].count--;
    return piece;
}

void spare_free(void *ptr, size_t size_bytes) {
    size_t i = size_bytes > 0 ? (size_bytes - 1) / STEP_BYTES : 0;
    if (!KEEPS || i >= ARRAY_LEN(kept) || kept[i].count == KEPT_MAX) {
        mem_free(ptr);
        return;
    }
    struct piece *piece = ptr;
    piece->next = kept[i].first;
    kept[i].first = piece;
    kept[i].count++;
}
