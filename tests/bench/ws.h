/* WebSocket frames (RFC 6455 §5), as little of it as the load generator and the floor need. */
#ifndef WSLOCK_BENCH_WS_H
#define WSLOCK_BENCH_WS_H

#include <stdbool.h>
#include <stddef.h>

#define WS_HEADER_MAX 14

enum ws_opcode { WS_TEXT = 1, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

struct ws_frame {
    int opcode;
    char *payload; /* unmasked in place; not NUL-terminated */
    size_t len;
    size_t whole; /* of the frame, in bytes */
};

/* Whether a whole frame begins at data. */
bool ws_parse(unsigned char *data, size_t len, struct ws_frame *frame);
/* Writes one frame; out has room for len + WS_HEADER_MAX. Its length. */
size_t ws_build(unsigned char *out, enum ws_opcode opcode, const char *payload, size_t len,
                bool masked);

#endif
