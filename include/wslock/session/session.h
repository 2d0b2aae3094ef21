/*
 * One WebSocket connection's life, seen from the transport. net creates a session when the
 * WebSocket is open, feeds it whole messages, and tells it when it is gone; the session writes
 * through the transport's functions. It belongs to the gateway and is freed after
 * session_on_closed.
 */
#ifndef WSLOCK_SESSION_SESSION_H
#define WSLOCK_SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/auth/auth.h"
#include "wslock/base/frame.h"
#include "wslock/base/str.h"
#include "wslock/wire/message.h"

struct gateway;
struct session;

enum session_write {
    SESSION_WRITE_DONE, /* the transport has taken all of it and can take more */
    SESSION_WRITE_BUSY, /* nothing was taken: ask for on_writable and try again */
    SESSION_WRITE_DEAD, /* the connection is gone; on_closed follows */
};

/* What ended a connection that the session did not close: wire/tables.def. */
enum session_end {
#define WIRE_END(id, reason, lock) SESSION_END_##id,
#include "wslock/wire/tables.def"
#undef WIRE_END
};

/* conn is the transport's own object. None of these calls back into the session. */
struct session_transport {
    enum session_write (*write)(void *conn, struct frame *frame);
    void (*want_write)(void *conn);
    void (*ping)(void *conn);
    /* Starts the WebSocket close handshake with this code (behind what was written), bounded in
     * time; session_on_closed follows from a later callback. */
    void (*close)(void *conn, uint16_t code, const char *reason);
};

/* Who is at the other end. Copied. */
struct session_peer {
    struct str address;    /* textual, after trustedProxies */
    struct str user_agent; /* cut to 256 bytes */
};

/* identity: from a token in the handshake (ownership passes), or NULL: the first message must be
 * `auth`. */
struct session *session_open(struct gateway *g, const struct session_transport *transport,
                             void *conn, const struct session_peer *peer, enum wire_framing framing,
                             struct auth_identity *identity);

/* For a session that waits for its token: the cookie's was refused. Its client is told, and may
 * still send another. why is static. */
void session_cookie_refused(struct session *s, enum auth_result result, const char *why);

/* One whole text message, at most maxMessageBytes, valid UTF-8. Borrowed. */
void session_on_message(struct session *s, const char *text, size_t len);
/* The transport met something that ends the connection: WIRE_CLOSE_BINARY or WIRE_CLOSE_TOO_BIG. */
void session_on_violation(struct session *s, enum wire_close close);
void session_on_writable(struct session *s);
void session_on_pong(struct session *s);
/* The transport knows that the connection ends, however long that takes: its rooms do not wait. */
void session_on_ending(struct session *s, enum session_end end);
/* The connection is gone. close_code: what the client sent, 0 for none; for the audit. The pointer
 * is dead after this. */
void session_on_closed(struct session *s, enum session_end end, uint16_t close_code);

/* For the handshake, before there is a session: verifies a token from a header. *why is static. */
enum auth_result gateway_verify(struct gateway *g, struct str token,
                                struct auth_identity **identity, const char **why);
/* AUTH_FAILED and ACCESS_DENIED of the handshake. origin: the one that was refused, or empty. */
void gateway_audit_refused(struct gateway *g, bool auth_failed, const struct session_peer *peer,
                           const char *reason, struct str origin);

#endif
