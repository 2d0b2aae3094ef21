/* What RFC 6455 §4.2.1 and docs/protocol.md §3 ask of a handshake. Pure: texts in, a verdict out.
 */
#ifndef WSLOCK_NET_HANDSHAKE_H
#define WSLOCK_NET_HANDSHAKE_H

#include <stdbool.h>

#include "wslock/base/str.h"
#include "wslock/config/config.h"

#define HANDSHAKE_SUBPROTOCOL "wslock.v1"
#define HANDSHAKE_PROTOCOL_LIST_MAX 126 /* libwebsockets drops a longer list without an answer */
#define HANDSHAKE_CONNECTION_MAX 126    /* the same */

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
/* The row of a verdict that is not HANDSHAKE_OK. */
const struct handshake_refusal *handshake_refusal(enum handshake_verdict verdict);

/* Header values as they came; an absent one is empty. */
struct handshake_request {
    bool is_get;
    struct str path, http_version, host, upgrade, connection, ws_version, key, protocols;
    bool has_origin;
    struct str origin;
};

enum handshake_verdict handshake_check(const struct config *config,
                                       const struct handshake_request *r);

/* "Bearer x" → x, "Bearer" → an empty one; false: another scheme, or none. */
bool handshake_bearer(struct str authorization, struct str *token);
/* The value of a cookie in a Cookie header (RFC 6265 §5.4); quotes around it are dropped. */
bool handshake_cookie(struct str header, const char *name, struct str *value);

#endif
