/* A message: its data, encoded once, and the frames of each framing, made on first demand. */
#include "framing.h"

#include <assert.h>
#include <string.h>

#include "socketio.h"
#include "wslock/base/spare.h"

/* {"event":NAME,"id":REF,"data":{...}} */
static void make_native(const struct wire_message *m, struct frame *out[WIRE_FRAMES_MAX]) {
    bool reply = m->ref.len > 0;
    const struct str parts[] = {
        FRAMING_TEXT("{\"event\":\""),
        str_of(m->event),
        reply ? FRAMING_TEXT("\",\"id\":") : FRAMING_TEXT("\""),
        m->ref,
        FRAMING_TEXT(",\"data\":"),
        m->data,
        FRAMING_TEXT("}"),
    };

    out[0] = frame_join(parts, ARRAY_LEN(parts));
}

static void (*const makers[])(const struct wire_message *m, struct frame *out[WIRE_FRAMES_MAX]) = {
    [WIRE_FRAMING_NATIVE] = make_native,
    [WIRE_FRAMING_SOCKETIO] = socketio_make,
};

struct wire_message *framing_message(const char *event, struct str ref, struct str data) {
    struct wire_message *m = spare_alloc(sizeof *m + ref.len + data.len);

    *m = (struct wire_message){
        .refs = 1,
        .event = event,
        .ref = {m->text, ref.len},
        .data = {m->text + ref.len, data.len},
    };
    if (ref.len > 0) {
        memcpy(m->text, ref.p, ref.len);
    }
    memcpy(m->text + ref.len, data.p, data.len);
    return m;
}

struct frame *wire_message_frame(struct wire_message *m, enum wire_framing framing, size_t i) {
    if (m->frames[framing][0] == NULL) {
        makers[framing](m, m->frames[framing]);
    }
    return i < WIRE_FRAMES_MAX ? m->frames[framing][i] : NULL;
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
        for (size_t j = 0; j < WIRE_FRAMES_MAX; j++) {
            frame_unref(m->frames[i][j]);
        }
    }
    spare_free(m, sizeof *m + m->ref.len + m->data.len);
}
