/*
 * Sessions of the suite server, in place of the daemon's. Of Engine.IO: every message comes back.
 * Of Socket.IO: namespaces / and /custom; `auth` is emitted with CONNECT's payload, `message` comes
 * back as `message-back`, `message-with-ack` as its acknowledgement, both also with attachments.
 */
#include <stdio.h>
#include <string.h>

#include "../../src/wire/socketio.h"
#include "wslock/base/buf.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/list.h"
#include "wslock/base/mem.h"
#include "wslock/session/gateway.h"
#include "wslock/session/session.h"

#define ATTACHMENTS_MAX 10
#define CODE_BROKEN 4400

struct waiting {
    struct list node;
    struct frame *frame;
};

struct session {
    const struct session_transport *transport;
    void *conn;
    bool plain, closed;
    struct list queue; /* of struct waiting */
    struct buf packet; /* with attachments that have not come yet */
    struct frame *attachments[ATTACHMENTS_MAX];
    size_t expected, received;
};

/* ---- what goes out ---- */

static void close_session(struct session *s) {
    if (!s->closed) {
        s->closed = true;
        s->transport->close(s->conn, CODE_BROKEN, "BAD_FRAMING");
    }
}

static void send_frame(struct session *s, struct frame *frame) {
    if (!list_empty(&s->queue) || s->transport->write(s->conn, frame) == SESSION_WRITE_BUSY) {
        struct waiting *w = mem_zalloc(sizeof *w);
        w->frame = frame;
        list_push_back(&s->queue, &w->node);
        s->transport->want_write(s->conn);
        return;
    }
    frame_unref(frame);
}

void session_on_writable(struct session *s) {
    LIST_FOREACH_ENTRY(struct waiting, w, node, &s->queue) {
        if (s->transport->write(s->conn, w->frame) == SESSION_WRITE_BUSY) {
            s->transport->want_write(s->conn);
            return;
        }
        list_remove(&w->node);
        frame_unref(w->frame);
        mem_free(w);
    }
}

static void send_text(struct session *s, const struct buf *text) {
    send_frame(s, frame_join(&(struct str){text->data, text->len}, 1));
}

static struct frame *binary_frame(const void *bytes, size_t len) {
    struct frame *frame = frame_join(&(struct str){bytes, len}, 1);
    frame->binary = true;
    return frame;
}

/* ---- Socket.IO ---- */

static void put_space(struct buf *out, const struct socketio_packet *p) {
    buf_append(out, p->space.p, p->space.len);
    buf_append_str(out, p->space.len > 0 ? "," : "");
}

static void take_connect(struct session *s, const struct socketio_packet *p, struct str text) {
    static unsigned sids;
    struct buf out;
    json_t *auth = p->payload.len > 0 ? jsonr_object(p->payload, NULL) : json_object();
    if (auth == NULL) {
        close_session(s);
        return;
    }
    json_decref(auth);
    if (p->space.len > 0 && !str_eqz(p->space, "/custom")) {
        struct wire_message *m = wire_namespace_refused(text);
        send_frame(s, frame_ref(wire_message_frame(m, WIRE_FRAMING_SOCKETIO, 0)));
        wire_message_unref(m);
        return;
    }
    buf_init(&out);
    buf_append_str(&out, "40");
    put_space(&out, p);
    buf_printf(&out, "{\"sid\":\"s%u\"}", ++sids);
    send_text(s, &out);
    buf_reset(&out);
    buf_append_str(&out, "42");
    put_space(&out, p);
    buf_append_str(&out, "[\"auth\",");
    buf_append(&out, p->payload.len > 0 ? p->payload.p : "{}",
               p->payload.len > 0 ? p->payload.len : 2);
    buf_append_char(&out, ']');
    send_text(s, &out);
    buf_fini(&out);
}

static bool begins(struct str text, const char *with) {
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.p, with, len) == 0;
}

/* attachments: "N-" or empty. */
static void answer_event(struct session *s, const struct socketio_packet *p,
                         const char *attachments) {
    static const char NAME[] = "[\"message\"", ACK[] = "[\"message-with-ack\"";
    bool ack = begins(p->payload, ACK);
    const char *name = ack ? ACK : NAME;
    struct buf out;
    if (!begins(p->payload, name)) {
        return;
    }
    struct str rest = {p->payload.p + strlen(name), p->payload.len - strlen(name)};
    buf_init(&out);
    buf_printf(&out, "4%d%s", (ack ? 3 : 2) + (attachments[0] != '\0' ? 3 : 0), attachments);
    put_space(&out, p);
    if (ack) {
        buf_append(&out, p->id.p, p->id.len);
        buf_append_char(&out, '[');
        if (rest.p[0] == ',') {
            rest = (struct str){rest.p + 1, rest.len - 1};
        }
    } else {
        buf_append_str(&out, "[\"message-back\"");
    }
    buf_append(&out, rest.p, rest.len);
    send_text(s, &out);
    buf_fini(&out);
}

static bool is_event(struct str payload) {
    json_t *array = jsonr_array(payload, NULL);
    bool ok = json_is_string(json_array_get(array, 0));
    json_decref(array);
    return ok;
}

/* "5N-...": kept as an event until its attachments have come. False: it has another form. */
static bool begin_attachments(struct session *s, struct str text) {
    struct socketio_packet p;
    if (text.len < 4 || text.p[0] != '5' || text.p[1] < '1' || text.p[1] > '9' ||
        text.p[2] != '-') {
        return false;
    }
    s->expected = (size_t)(text.p[1] - '0');
    buf_reset(&s->packet);
    buf_append_char(&s->packet, '2');
    buf_append(&s->packet, text.p + 3, text.len - 3);
    return socketio_split((struct str){s->packet.data, s->packet.len}, &p) && is_event(p.payload);
}

static void take_packet(struct session *s, struct str text) {
    struct socketio_packet p;
    if (s->expected > 0) {
        close_session(s); /* attachments are due */
    } else if (text.len > 0 && text.p[0] == '5') {
        if (!begin_attachments(s, text)) {
            close_session(s);
        }
    } else if (!socketio_split(text, &p)) {
        close_session(s);
    } else if (p.type == SOCKETIO_CONNECT) {
        take_connect(s, &p, text);
    } else if (p.type == SOCKETIO_EVENT && is_event(p.payload)) {
        answer_event(s, &p, "");
    } else if (p.type != SOCKETIO_DISCONNECT) {
        close_session(s);
    }
}

static void take_attachment(struct session *s, const void *bytes, size_t len) {
    struct socketio_packet p;
    char count[8];
    if (s->expected == 0) {
        close_session(s);
        return;
    }
    s->attachments[s->received++] = binary_frame(bytes, len);
    if (s->received < s->expected) {
        return;
    }
    snprintf(count, sizeof count, "%zu-", s->expected);
    if (socketio_split((struct str){s->packet.data, s->packet.len}, &p)) {
        answer_event(s, &p, count);
    }
    for (size_t i = 0; i < s->received; i++) {
        send_frame(s, s->attachments[i]);
    }
    s->expected = s->received = 0;
}

/* ---- what the network side calls ---- */

void session_on_message(struct session *s, const char *text, size_t len) {
    if (s->plain) {
        const struct str parts[] = {str_of("4"), {text, len}};
        send_frame(s, frame_join(parts, ARRAY_LEN(parts)));
    } else if (!s->closed) {
        take_packet(s, (struct str){text, len});
    }
}

void session_on_binary(struct session *s, const void *bytes, size_t len) {
    if (s->plain) {
        send_frame(s, binary_frame(bytes, len));
    } else if (!s->closed) {
        take_attachment(s, bytes, len);
    }
}

void session_on_violation(struct session *s, enum wire_close close) {
    (void)close;
    close_session(s);
}

void session_on_pong(struct session *s) {
    (void)s;
}

void session_on_ending(struct session *s, enum session_end end) {
    (void)end;
    s->closed = true;
}

struct session *session_open(struct gateway *g, const struct session_transport *transport,
                             void *conn, const struct session_peer *peer, enum wire_framing framing,
                             struct auth_identity *identity) {
    struct session *s = mem_zalloc(sizeof *s);
    (void)g;
    (void)peer;
    (void)identity;
    s->transport = transport;
    s->conn = conn;
    s->plain = framing == WIRE_FRAMING_NATIVE;
    list_init(&s->queue);
    buf_init(&s->packet);
    return s;
}

void session_on_closed(struct session *s, enum session_end end, uint16_t close_code) {
    (void)end;
    (void)close_code;
    LIST_FOREACH_ENTRY(struct waiting, w, node, &s->queue) {
        list_remove(&w->node);
        frame_unref(w->frame);
        mem_free(w);
    }
    for (size_t i = 0; i < s->received; i++) {
        frame_unref(s->attachments[i]);
    }
    buf_fini(&s->packet);
    mem_free(s);
}

void session_cookie_not_accepted(struct session *s, const struct session_cookie *cookie) {
    (void)s;
    (void)cookie;
}

/* Nobody needs a token here. */
enum auth_result gateway_verify(struct gateway *g, struct str token,
                                struct auth_identity **identity, const char **why) {
    (void)g;
    (void)token;
    (void)identity;
    *why = "no tokens here";
    return AUTH_INVALID;
}

bool gateway_await_key(struct gateway *g, uint64_t *wait_ms) {
    (void)g;
    (void)wait_ms;
    return false;
}

void gateway_audit_refused(struct gateway *g, bool auth_failed, const struct session_peer *peer,
                           const char *reason, struct str origin) {
    (void)g;
    (void)auth_failed;
    (void)peer;
    (void)reason;
    (void)origin;
}

bool gateway_is_busy(const struct gateway *g) {
    (void)g;
    return false;
}

void gateway_send_requests(struct gateway *g) {
    (void)g;
}
