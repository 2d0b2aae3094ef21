/* Reads and writes packets of Socket.IO. */
#include "socketio.h"

#include <ctype.h>
#include <string.h>

#include "wslock/base/jsonw.h"

#define ID_DIGITS_MAX 15 /* below 2^53, so that every client holds it exactly */

/* ---- packets of a client ---- */

static bool is_namespace(struct str space) {
    for (size_t i = 0; i < space.len; i++) {
        if (space.p[i] <= ' ' || space.p[i] >= 0x7f) {
            return false;
        }
    }
    return space.len <= SOCKETIO_NAMESPACE_MAX;
}

/* "/name," or, at the end, "/name". */
static bool split_namespace(struct str *rest, struct str *space) {
    *space = (struct str){NULL, 0};
    if (rest->len == 0 || rest->p[0] != '/') {
        return true;
    }
    if (!str_cut(rest, ',', space)) {
        *space = *rest;
        *rest = (struct str){NULL, 0};
    }
    bool ok = is_namespace(*space);
    if (space->len == 1) { /* "/" is the main one */
        space->len = 0;
    }
    return ok;
}

static bool split_id(struct str *rest, struct str *id) {
    size_t len = 0;
    while (len < rest->len && isdigit((unsigned char)rest->p[len])) {
        len++;
    }
    if (len > ID_DIGITS_MAX || (len > 1 && rest->p[0] == '0')) {
        return false;
    }
    *id = (struct str){rest->p, len};
    if (len > 0) {
        *rest = (struct str){rest->p + len, rest->len - len};
    }
    return true;
}

bool socketio_split(struct str text, struct socketio_packet *out) {
    if (text.len == 0 || text.p[0] < '0' || text.p[0] > '0' + SOCKETIO_CONNECT_ERROR) {
        return false;
    }
    out->type = (enum socketio_type)(text.p[0] - '0');
    struct str rest = {text.p + 1, text.len - 1};
    if (!split_namespace(&rest, &out->space) || !split_id(&rest, &out->id)) {
        return false;
    }
    out->payload = rest;
    switch (out->type) {
    case SOCKETIO_CONNECT:
        return out->id.len == 0;
    case SOCKETIO_DISCONNECT:
        return out->id.len == 0 && rest.len == 0;
    case SOCKETIO_EVENT:
        return rest.len > 0;
    case SOCKETIO_ACK:
    case SOCKETIO_CONNECT_ERROR:
        return true;
    }
    return false;
}

/* ---- packets of the server ---- */

static struct frame *make_event(const struct wire_message *m) {
    const struct str parts[] = {
        FRAMING_TEXT("42[\""), str_of(m->event), FRAMING_TEXT("\","), m->data, FRAMING_TEXT("]"),
    };

    return frame_join(parts, ARRAY_LEN(parts));
}

static struct frame *make_ack(const struct wire_message *m) {
    const struct str parts[] = {
        FRAMING_TEXT("43"),
        m->ref,
        FRAMING_TEXT("[{\"event\":\""),
        str_of(m->event),
        FRAMING_TEXT("\",\"data\":"),
        m->data,
        FRAMING_TEXT("}]"),
    };

    return frame_join(parts, ARRAY_LEN(parts));
}

void socketio_make(const struct wire_message *m, struct frame *out[WIRE_FRAMES_MAX]) {
    static const struct str disconnect = {"41", 2};
    size_t n = 0;

    if (m->ref.len > 0) {
        out[n++] = make_ack(m);
    }
    out[n++] = make_event(m);
    if (m->is_last && n < WIRE_FRAMES_MAX) {
        out[n] = frame_join(&disconnect, 1);
    }
}

void socketio_accept(struct wire_message *m, struct str sid) {
    const struct str parts[] = {FRAMING_TEXT("40{\"sid\":\""), sid, FRAMING_TEXT("\"}")};

    m->frames[WIRE_FRAMING_SOCKETIO][0] = frame_join(parts, ARRAY_LEN(parts));
    m->frames[WIRE_FRAMING_SOCKETIO][1] = make_event(m);
}

/* {"message":TEXT,"data":{...}} behind the head; without data where there is none. */
static struct frame *make_refusal(struct str head, const char *message, struct str data) {
    struct buf text;
    struct jsonw w;

    buf_init(&text);
    jsonw_init(&w, &text);
    jsonw_cstr(&w, message);
    const struct str parts[] = {
        head,
        FRAMING_TEXT("{\"message\":"),
        {text.data, text.len},
        data.len > 0 ? FRAMING_TEXT(",\"data\":") : data,
        data,
        FRAMING_TEXT("}"),
    };
    struct frame *frame = frame_join(parts, ARRAY_LEN(parts));
    buf_fini(&text);
    return frame;
}

void socketio_refuse(struct wire_message *m, const char *message) {
    m->frames[WIRE_FRAMING_SOCKETIO][0] = make_refusal(FRAMING_TEXT("44"), message, m->data);
}

struct wire_message *wire_namespace_refused(struct str packet) {
    struct wire_message *m = framing_message("error", FRAMING_TEXT(""), FRAMING_TEXT("{}"));
    struct socketio_packet p;
    char head[2 + SOCKETIO_NAMESPACE_MAX + 1] = "44";
    size_t len = 2;

    if (socketio_split(packet, &p) && p.space.len > 0) {
        memcpy(head + len, p.space.p, p.space.len);
        len += p.space.len;
        head[len++] = ',';
    }
    m->frames[WIRE_FRAMING_SOCKETIO][0] =
        make_refusal((struct str){head, len}, "Invalid namespace", (struct str){NULL, 0});
    return m;
}
