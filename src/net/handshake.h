/* Checks of a handshake: RFC 6455 §4.2.1 and docs/protocol.md §1. Pure. */
#ifndef WSLOCK_NET_HANDSHAKE_H
#define WSLOCK_NET_HANDSHAKE_H

#include <stdbool.h>

#include "http_head.h"
#include "wslock/base/buf.h"
#include "wslock/base/str.h"
#include "wslock/config/config.h"

#define HANDSHAKE_SUBPROTOCOL "wslock.v1"
#define HANDSHAKE_ACCEPT_BYTES 29  /* with its NUL */
#define HANDSHAKE_ORIGIN_SHOWN 256 /* bytes of a refused Origin that are shown */
#define HANDSHAKE_ORIGIN_TEXT (4 * HANDSHAKE_ORIGIN_SHOWN + 4)

enum handshake_verdict {
    HANDSHAKE_OK,
#define REFUSAL(id, status, code, label, message) HANDSHAKE_##id,
#include "refusals.def"
#undef REFUSAL
};

struct handshake_refusal {
    int status;
    const char *code, *label, *message;
};
/* The row in refusals.def; not for HANDSHAKE_OK. */
const struct handshake_refusal *handshake_refusal(enum handshake_verdict verdict);

/* For the native path. path: decoded. */
enum handshake_verdict handshake_check(const struct config *config, const struct http_head *head,
                                       struct str path);
/* The same for another path, without a subprotocol. */
enum handshake_verdict handshake_check_websocket(const struct config *config,
                                                 const struct http_head *head);
/* The Origin's value, if there is one, is on the list. */
enum handshake_verdict handshake_check_origin(const struct config *config,
                                              const struct http_head *head);

/* Sec-WebSocket-Accept for a key that handshake_check has accepted. */
void handshake_accept(struct str key, char out[HANDSHAKE_ACCEPT_BYTES]);

/* The Origin as printable text: other bytes are escaped as \xNN. After HANDSHAKE_ORIGIN_SHOWN bytes
 * it is cut and ends with "...". */
void handshake_origin_text(const struct http_head *head, char out[HANDSHAKE_ORIGIN_TEXT]);

/* "Bearer x" → x, "Bearer" → an empty token. False: another scheme, or none. */
bool handshake_bearer(struct str authorization, struct str *token);
/* The next value of a cookie with this name, without quotes around it. rest: a Cookie header (RFC
 * 6265 §5.4) at first. */
bool handshake_next_cookie(struct str *rest, const char *name, struct str *value);

#endif
