/* Creates and counts shared frames. */
#include "wslock/base/frame.h"

#include <assert.h>
#include <string.h>

#include "wslock/base/macros.h"
#include "wslock/base/spare.h"

static size_t size_of(size_t len) {
    return sizeof(struct frame) + FRAME_HEADROOM + len;
}

struct frame *frame_join(const struct str *parts, size_t count) {
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    assert(len <= UINT32_MAX);
    struct frame *f = spare_alloc(size_of(len));
    f->refs = 1;
    f->len = (uint32_t)len;
    f->binary = false;
    unsigned char *to = frame_payload(f);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            memcpy(to, parts[i].p, parts[i].len);
        }
        to += parts[i].len;
    }
    return f;
}

struct frame *frame_ref(struct frame *f) {
    assert(f->refs > 0 && f->refs < UINT32_MAX);
    f->refs++;
    return f;
}

void frame_unref(struct frame *f) {
    if (f == NULL) {
        return;
    }
    assert(f->refs > 0);
    if (--f->refs == 0) {
        spare_free(f, size_of(f->len));
    }
}
