/*
 * The session of one connection of a client, as the transport sees it. net opens it when the
 * connection is open, passes whole messages to it, and reports its end; the session writes through
 * the transport's functions. The gateway owns it; session_on_closed frees it.
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
    SESSION_WRITE_DONE, /* the transport has taken the whole frame and can take more */
    SESSION_WRITE_BUSY, /* nothing was taken: call want_write, and try again in on_writable */
    SESSION_WRITE_DEAD, /* the connection is gone; session_on_closed follows */
};

/* What ended a connection that the daemon did not close: wire/tables.def. */
enum session_end {
#define WIRE_END(id, reason, lock) SESSION_END_##id,
#include "wslock/wire/tables.def"
#undef WIRE_END
};

/* conn is the transport's own object. None of these calls back into the session. */
struct session_transport {
    enum session_write (*write)(void *conn, struct frame *frame);
    void (*want_write)(void *conn);
    void (*ping)(void *conn); /* NULL: the transport itself sees whether the client is there */
    const char *(*name)(void *conn); /* "websocket" or "polling" */
    /* Starts to close with this code (behind what was written), bounded in time; session_on_closed
     * follows from a later callback. */
    void (*close)(void *conn, uint16_t code, const char *reason);
};

/* The other end of the connection. Copied. */
struct session_peer {
    struct str address;    /* textual, after trustedProxies */
    struct str user_agent; /* cut to 256 bytes */
};

/* identity: from a token in the handshake (ownership passes), or NULL: then the first message must
 * be `auth`. In a framing that connects the first message is CONNECT in both cases. */
struct session *session_open(struct gateway *g, const struct session_transport *transport,
                             void *conn, const struct session_peer *peer, enum wire_framing framing,
                             struct auth_identity *identity);

/* The token of a cookie that was not accepted in the handshake. */
struct session_cookie {
    struct str token;
    enum auth_result result;
    const char *why; /* static */
};
/* AUTH: the token is checked again when its key has been fetched, or is refused: the client gets an
 * error, and may still send `auth`. In a framing that connects it is checked again for a CONNECT
 * without a token. Borrowed. */
void session_cookie_not_accepted(struct session *s, const struct session_cookie *cookie);

/* One whole text message, at most maxMessageBytes, valid UTF-8. Borrowed. */
void session_on_message(struct session *s, const char *text, size_t len);
/* A binary message of a framing that knows them. Borrowed. */
void session_on_binary(struct session *s, const void *bytes, size_t len);
/* The client broke a rule of the transport: WIRE_CLOSE_BINARY, WIRE_CLOSE_TOO_BIG,
 * WIRE_CLOSE_BAD_FRAMING, WIRE_CLOSE_RATE_LIMITED; or did not answer its pings. */
void session_on_violation(struct session *s, enum wire_close close);
void session_on_writable(struct session *s);
void session_on_pong(struct session *s);
/* The connection begins to end. The session leaves its rooms at once; the close handshake may take
 * longer. */
void session_on_ending(struct session *s, enum session_end end);
/* The connection is gone; frees the session. close_code: the code that the client sent, or 0; it is
 * recorded in the audit. */
void session_on_closed(struct session *s, enum session_end end, uint16_t close_code);

/* In the handshake, before there is a session: verifies a token from a header. *why is static. */
enum auth_result gateway_verify(struct gateway *g, struct str token,
                                struct auth_identity **identity, const char **why);
/* For a token with AUTH_UNKNOWN_KEY that is refused: as auth_await_key. */
bool gateway_await_key(struct gateway *g, uint64_t *wait_ms) MUST_CHECK;
/* Records AUTH_FAILED or ACCESS_DENIED of a handshake. origin: if it was refused, else empty. */
void gateway_audit_refused(struct gateway *g, bool auth_failed, const struct session_peer *peer,
                           const char *reason, struct str origin);

#endif
