#include "wslock/base/frame.h"

#include <assert.h>
#include <string.h>

#include "wslock/base/macros.h"
#include "wslock/base/mem.h"

struct frame *frame_from(const void *payload, size_t len) {
    assert(len <= UINT32_MAX);
    struct frame *f = mem_alloc(sizeof *f + FRAME_HEADROOM + len);
    f->refs = 1;
    f->len = (uint32_t)len;
    if (len > 0)
        memcpy(frame_payload(f), payload, len);
    return f;
}

struct frame *frame_ref(struct frame *f) {
    assert(f->refs > 0 && f->refs < UINT32_MAX);
    f->refs++;
    return f;
}

void frame_unref(struct frame *f) {
    if (f == NULL)
        return;
    assert(f->refs > 0);
    if (--f->refs == 0)
        mem_free(f);
}
