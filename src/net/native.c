/* The native framing: a WebSocket is the transport of a session. */
#include "native.h"

#include "upgrade.h"
#include "websocket.h"

/* ---- the session's side ---- */

static enum session_write transport_write(void *conn, struct frame *frame) {
    return websocket_write(conn, frame);
}

static void transport_want_write(void *conn) {
    websocket_want_write(conn);
}

static void transport_ping(void *conn) {
    websocket_ping(conn);
}

static const char *transport_name(void *conn) {
    (void)conn;
    return "websocket";
}

static void transport_close(void *conn, uint16_t code, const char *reason) {
    websocket_close(conn, code, reason);
}

static const struct session_transport TRANSPORT = {
    .write = transport_write,
    .want_write = transport_want_write,
    .ping = transport_ping,
    .name = transport_name,
    .close = transport_close,
};

/* ---- the client's side ---- */

static void on_text(struct conn *c, const char *text, size_t len) {
    session_on_message(c->session, text, len);
}

static void on_violation(struct conn *c, enum wire_close close) {
    session_on_violation(c->session, close);
}

static void on_pong(struct conn *c) {
    session_on_pong(c->session);
}

static void on_writable(struct conn *c) {
    session_on_writable(c->session);
}

/* The session leaves its rooms at once. */
static void on_ending(struct conn *c, enum session_end end) {
    session_on_ending(c->session, end);
}

static void on_closed(struct conn *c, enum session_end end) {
    struct session *s = c->session;
    c->session = NULL;
    session_on_closed(s, end, c->peer_code);
}

static const struct websocket_user USER = {
    .on_text = on_text,
    .on_violation = on_violation,
    .on_pong = on_pong,
    .on_writable = on_writable,
    .on_ending = on_ending,
    .on_closed = on_closed,
};

/* ---- opening ---- */

static void open_session(struct conn *c, const struct upgrade_client *client) {
    struct auth_identity *identity = c->identity;
    if (!websocket_accept(c, HANDSHAKE_SUBPROTOCOL, &USER)) {
        return;
    }
    c->identity = NULL;
    c->session =
        session_open(c->net->gateway, &TRANSPORT, c, &client->peer, WIRE_FRAMING_NATIVE, identity);
    if (client->cookie.why != NULL) {
        session_cookie_not_accepted(c->session, &client->cookie);
    }
}

static void take(struct conn *c, struct str path) {
    struct upgrade_client client;
    upgrade_read_client(c, &client);
    enum handshake_verdict verdict = handshake_check(c->net->parts.config, &c->head, path);
    if (upgrade_admit(c, &client, verdict, &c->place) && upgrade_check_tokens(c, &client)) {
        open_session(c, &client);
    }
}

void native_take(const struct http_request *request, struct http_response *response) {
    struct conn *c = request->conn;
    response->later = true;
    if (http_head_count(&c->head, "Upgrade") > 0) {
        take(c, request->path);
    } else if (!http_head_is_addressed(&c->head)) {
        upgrade_refuse(c, HANDSHAKE_ADDRESSING);
    } else {
        upgrade_refuse(c, str_eqz(c->head.method, "GET") ? HANDSHAKE_NOT_AN_UPGRADE
                                                         : HANDSHAKE_METHOD);
    }
}
