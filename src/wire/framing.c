/* A message: its data, encoded once, and the frame of each framing, made on first demand. */
#include "framing.h"

#include <assert.h>
#include <string.h>

#include "wslock/base/mem.h"

struct wire_message {
    uint32_t refs;
    const char *event;
    struct str ref, data;                     /* point into `text` */
    struct frame *frames[WIRE_FRAMING_COUNT]; /* NULL: no receiver has needed it */
    char text[];
};

#define TEXT(literal) ((struct str){literal, sizeof(literal) - 1})

/* {"event":NAME,"id":REF,"data":{...}} */
static struct frame *frame_native(const struct wire_message *m) {
    bool reply = m->ref.len > 0;
    const struct str parts[] = {
        TEXT("{\"event\":\""),
        str_of(m->event),
        reply ? TEXT("\",\"id\":") : TEXT("\""),
        m->ref,
        TEXT(",\"data\":"),
        m->data,
        TEXT("}"),
    };

    return frame_join(parts, ARRAY_LEN(parts));
}

static struct frame *(*const framings[])(const struct wire_message *m) = {
    [WIRE_FRAMING_NATIVE] = frame_native,
};

struct wire_message *framing_message(const char *event, struct str ref, struct str data) {
    struct wire_message *m = mem_zalloc(sizeof *m + ref.len + data.len);

    m->refs = 1;
    m->event = event;
    m->ref = (struct str){m->text, ref.len};
    m->data = (struct str){m->text + ref.len, data.len};
    if (ref.len > 0) {
        memcpy(m->text, ref.p, ref.len);
    }
    memcpy(m->text + ref.len, data.p, data.len);
    return m;
}

struct frame *wire_message_frame(struct wire_message *m, enum wire_framing framing) {
    if (m->frames[framing] == NULL) {
        m->frames[framing] = framings[framing](m);
    }
    return m->frames[framing];
}

struct wire_message *wire_message_ref(struct wire_message *m) {
    assert(m->refs > 0 && m->refs < UINT32_MAX);
    m->refs++;
    return m;
}

void wire_message_unref(struct wire_message *m) {
    if (m == NULL || --m->refs > 0) {
        return;
    }
    for (size_t i = 0; i < WIRE_FRAMING_COUNT; i++) {
        frame_unref(m->frames[i]);
    }
    mem_free(m);
}
