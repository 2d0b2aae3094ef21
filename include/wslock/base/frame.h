/*
 * The payload of one outgoing WebSocket message, shared by all its receivers. Reference-counted,
 * not thread-safe. The FRAME_HEADROOM bytes before the payload belong to the transport, which
 * writes its header there. The header is the same for every receiver, so sharing is safe.
 */
#ifndef WSLOCK_BASE_FRAME_H
#define WSLOCK_BASE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/str.h"

#define FRAME_HEADROOM 16

struct frame {
    uint32_t refs;
    uint32_t len; /* payload bytes */
    bool binary;  /* else the payload is text; frame_join: false */
    unsigned char bytes[];
};

/* A frame of these parts, one after the other, with one reference; frame_unref frees it at zero. */
struct frame *frame_join(const struct str *parts, size_t count);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f); /* NULL is fine */
static inline unsigned char *frame_payload(struct frame *f) {
    return f->bytes + FRAME_HEADROOM;
}

#endif
