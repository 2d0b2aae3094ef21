/*
 * One outgoing message, encoded once and shared by all its receivers. Reference-counted, not
 * thread-safe (one loop). FRAME_HEADROOM bytes before the payload belong to the transport, which
 * writes its header there; every receiver writes the same header, so sharing is safe.
 */
#ifndef WSLOCK_BASE_FRAME_H
#define WSLOCK_BASE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADROOM 16

struct frame {
    uint32_t refs;
    uint32_t len; /* payload bytes */
    unsigned char bytes[];
};

/* A frame with one reference; frame_unref frees it at zero. */
struct frame *frame_from(const void *payload, size_t len);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f); /* NULL is fine */
static inline unsigned char *frame_payload(struct frame *f) {
    return f->bytes + FRAME_HEADROOM;
}

#endif
