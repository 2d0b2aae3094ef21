/* Sessions of Engine.IO: their life, packets and pings. */
#include "engine.h"

#include <inttypes.h>
#include <libwebsockets.h>
#include <openssl/evp.h>

#include "conn.h"
#include "websocket.h"
#include "wslock/base/clock.h"
#include "wslock/base/frame.h"
#include "wslock/base/map.h"
#include "wslock/base/mem.h"

#define PAYLOAD_MAX 65536 /* bytes, after which the session's queue waits for the next poll */
#define CODE_NORMAL 1000
#define LAST_POLL_MS 5000 /* for a client to come for the last packet */
/* A timer that is this late: the daemon did not run, and a pong may not have been read yet. */
#define STOOD_STILL_MS 1000

static const struct config *config_of(const struct engineio *e) {
    return e->net->parts.config;
}

/* ---- its end ---- */

static void forget(struct engineio *e) {
    map_remove(e->net->engines, str_of(e->sid));
    e->closing = true;
}

void engine_release(struct engineio *e) {
    if (e->session != NULL || e->poll != NULL) {
        return;
    }
    buf_fini(&e->payload);
    mem_free(e);
}

void engine_end(struct engineio *e, enum session_end end, uint16_t close_code) {
    struct session *s = e->session;
    forget(e);
    wheel_cancel(&e->timer);
    list_remove(&e->node);
    if (e->socket == NULL) {
        e->net->polling_count--;
    }
    admit_leave(e->net->admit, &e->place, clock_boot_us());
    if (e->socket != NULL) {
        e->socket->engine = NULL;
    }
    if (e->probe != NULL) {
        e->probe->engine = NULL;
        conn_fail(e->probe);
    }
    e->session = NULL;
    session_on_closed(s, end, close_code);
    engine_release(e);
}

/* ---- pings ---- */

static void on_timer(struct wheel_timer *timer);

static void wait_until(struct engineio *e, uint64_t due_boot_ms) {
    uint64_t now = clock_boot_ms();
    e->due_boot_ms = due_boot_ms;
    wheel_set(e->net->parts.wheel, &e->timer, due_boot_ms > now ? due_boot_ms - now : 0, on_timer);
}

static void wait_ping(struct engineio *e) {
    wait_until(e, clock_boot_ms() + e->ping_interval_ms);
}

static void send_ping(struct engineio *e) {
    if (e->socket != NULL) {
        websocket_send_short(e->socket, "2");
    } else if (e->poll != NULL) {
        engine_add_packet(e, str_of("2"));
    } else {
        e->ping_queued = true;
    }
}

static void on_timer(struct wheel_timer *timer) {
    struct engineio *e = CONTAINER_OF(timer, struct engineio, timer);
    uint64_t now = clock_boot_ms(), timeout = e->pong_timeout_ms;
    if (e->closing) {
        engine_end(e, SESSION_END_LOST, 0);
        return;
    }
    bool stood_still = now > e->due_boot_ms + STOOD_STILL_MS; /* the timer may be early */
    if (e->ping_sent && !stood_still) {
        session_on_violation(e->session, WIRE_CLOSE_PING_TIMEOUT);
        return;
    }
    if (!e->ping_sent) {
        e->ping_sent = true;
        send_ping(e);
    }
    wait_until(e, (stood_still ? now : e->due_boot_ms) + timeout);
}

void engine_check_pong(struct engineio *e) {
    uint64_t now = clock_boot_ms();
    if (e->ping_sent && now >= e->due_boot_ms && now - e->due_boot_ms <= STOOD_STILL_MS) {
        session_on_violation(e->session, WIRE_CLOSE_PING_TIMEOUT);
    }
}

static void heard(struct engineio *e) {
    if (e->ping_sent) {
        e->ping_sent = false;
        wait_ping(e);
    }
}

/* ---- the session's side: transport ---- */

void engine_add_packet(struct engineio *e, struct str packet) {
    if (e->payload.len > 0) {
        buf_append_char(&e->payload, ENGINE_SEPARATOR);
    }
    buf_append(&e->payload, packet.p, packet.len);
    lws_callback_on_writable(e->poll->wsi);
}

/* "b" and base64. */
static void add_binary(struct engineio *e, struct frame *frame) {
    struct buf text;
    buf_init(&text);
    buf_append_char(&text, 'b');
    buf_reserve(&text, 4 * (frame->len / 3 + 1) + 1);
    text.len += (size_t)EVP_EncodeBlock((unsigned char *)text.data + 1, frame_payload(frame),
                                        (int)frame->len);
    engine_add_packet(e, (struct str){text.data, text.len});
    buf_fini(&text);
}

static enum session_write transport_write(void *conn, struct frame *frame) {
    struct engineio *e = conn;
    if (e->closing) {
        return SESSION_WRITE_DEAD;
    }
    if (e->socket != NULL) {
        return websocket_write(e->socket, frame);
    }
    if (e->poll == NULL || e->payload.len > PAYLOAD_MAX) {
        return SESSION_WRITE_BUSY;
    }
    if (frame->binary) {
        add_binary(e, frame);
    } else {
        engine_add_packet(e, (struct str){(const char *)frame_payload(frame), frame->len});
    }
    return SESSION_WRITE_DONE;
}

/* A client that polls comes by itself. */
static void transport_want_write(void *conn) {
    struct engineio *e = conn;
    if (e->socket != NULL) {
        websocket_want_write(e->socket);
    }
}

static const char *transport_name(void *conn) {
    struct engineio *e = conn;
    return e->socket != NULL ? "websocket" : "polling";
}

void engine_finish(struct engineio *e) {
    forget(e);
    wait_until(e, 0);
}

/* last: the packet that a waiting poll gets. Ends it from the loop. */
static void close_polling(struct engineio *e, const char *last) {
    if (e->poll != NULL && e->payload.len == 0) {
        engine_add_packet(e, str_of(last));
    }
    engine_finish(e);
}

/* A client may lose packets that come together with the last one, so the last one goes with the
 * next poll. */
static void transport_close(void *conn, uint16_t code, const char *reason) {
    struct engineio *e = conn;
    if (e->closing) {
        return;
    }
    e->closing = true;
    if (e->socket != NULL) {
        engine_finish(e);
        wheel_cancel(&e->timer);
        websocket_close(e->socket, code, reason);
    } else if (e->payload.len > 0 && !e->net->draining) { /* else no further poll can come */
        wait_until(e, clock_boot_ms() + LAST_POLL_MS);
    } else {
        close_polling(e, "1");
    }
}

/* The client closes the transport. */
static void take_close(struct engineio *e) {
    session_on_ending(e->session, SESSION_END_CLIENT);
    if (e->socket != NULL) {
        transport_close(e, CODE_NORMAL, NULL);
    } else {
        close_polling(e, "6");
    }
}

static const struct session_transport TRANSPORT = {
    .write = transport_write,
    .want_write = transport_want_write,
    .name = transport_name,
    .close = transport_close,
};

/* ---- its beginning ---- */

bool engine_is_plain(const struct net *n, struct str path) {
    return n->parts.plain_engine_path != NULL && str_eqz(path, n->parts.plain_engine_path);
}

struct engineio *engine_open(struct conn *c, struct conn *socket, struct admit_place place,
                             const struct upgrade_client *client) {
    struct engineio *e = mem_zalloc(sizeof *e);
    struct auth_identity *identity = c->identity;
    struct buf handshake;
    e->net = c->net;
    e->socket = socket;
    e->place = place;
    e->ping_interval_ms = (uint64_t)config_of(e)->limits.ping_interval_ms;
    e->pong_timeout_ms = (uint64_t)config_of(e)->limits.pong_timeout_ms;
    e->body_max = (size_t)config_of(e)->limits.max_message_bytes;
    rand_id(e->sid);
    buf_init(&e->payload);
    wheel_timer_init(&e->timer);
    rate_init(&e->rate, (double)config_of(e)->limits.message_burst, clock_boot_us());
    map_set(c->net->engines, str_of(e->sid), e);
    list_push_back(&c->net->engine_list, &e->node);
    if (socket == NULL) {
        c->net->polling_count++;
    } else {
        socket->engine = e;
        buf_init(&handshake);
        engine_put_handshake(e, &handshake);
        struct frame *frame = frame_join(&(struct str){handshake.data, handshake.len}, 1);
        (void)websocket_write(socket, frame);
        frame_unref(frame);
        buf_fini(&handshake);
    }
    wait_ping(e);
    c->identity = NULL;
    e->session = session_open(c->net->gateway, &TRANSPORT, e, &client->peer,
                              engine_is_plain(c->net, c->head.path) ? WIRE_FRAMING_NATIVE
                                                                    : WIRE_FRAMING_SOCKETIO,
                              identity);
    if (client->cookie.why != NULL) {
        session_cookie_not_accepted(e->session, &client->cookie);
    }
    return e;
}

void engine_put_handshake(const struct engineio *e, struct buf *out) {
    buf_printf(out,
               "0{\"sid\":\"%s\",\"upgrades\":[%s],\"pingInterval\":%" PRIu64
               ",\"pingTimeout\":%" PRIu64 ",\"maxPayload\":%zu}",
               e->sid, e->socket == NULL ? "\"websocket\"" : "", e->ping_interval_ms,
               e->pong_timeout_ms, e->body_max);
}

struct engineio *engine_find(const struct net *n, const char *sid) {
    return map_get(n->engines, str_of(sid));
}

void engine_use_probe(struct engineio *e) {
    e->socket = e->probe;
    e->probe = NULL;
    e->probed = false;
    e->net->polling_count--;
    wheel_cancel(&e->socket->timer);
    admit_leave(e->net->admit, &e->place, clock_boot_us());
    if (e->poll != NULL) {
        engine_add_packet(e, str_of("6"));
    }
    if (e->ping_queued) {
        e->ping_queued = false;
        send_ping(e);
    }
    session_on_writable(e->session);
}

/* ---- packets of the client ---- */

void engine_binary(struct engineio *e, const void *bytes, size_t len) {
    heard(e);
    session_on_binary(e->session, bytes, len);
}

/* False: not base64. */
static bool take_base64(struct engineio *e, const char *text, size_t len) {
    unsigned char *bytes = mem_alloc(len + 1);
    int size = len > 0 && len % 4 == 0
                   ? EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)len)
                   : -1;
    for (size_t i = len; size > 0 && i > len - 2 && text[i - 1] == '='; i--) {
        size--;
    }
    if (size >= 0) {
        engine_binary(e, bytes, (size_t)size);
    }
    mem_free(bytes);
    return size >= 0;
}

bool engine_packet(struct engineio *e, const char *text, size_t len) {
    bool known = true;
    if (e->closing) {
        if (len == 1 && text[0] == '1') {
            engine_finish(e);
        }
        return true;
    }
    heard(e);
    switch (len > 0 ? text[0] : '\0') {
    case '1':
        take_close(e);
        break;
    case '3': /* pong */
        session_on_pong(e->session);
        break;
    case '4': /* message */
        session_on_message(e->session, text + 1, len - 1);
        break;
    case '6': /* noop */
        break;
    case 'b':
        known = e->socket == NULL && take_base64(e, text + 1, len - 1);
        break;
    default:
        known = false;
        break;
    }
    if (!known) {
        session_on_violation(e->session, WIRE_CLOSE_BAD_FRAMING);
    }
    return known;
}
