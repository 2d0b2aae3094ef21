/* WebSocket frames (RFC 6455 §5): reads those of a client, writes headers of a server. Pure. */
#ifndef WSLOCK_NET_FRAMES_H
#define WSLOCK_NET_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/macros.h"

enum frames_opcode {
    FRAMES_CONTINUATION = 0,
    FRAMES_TEXT = 1,
    FRAMES_BINARY = 2,
    FRAMES_CLOSE = 8,
    FRAMES_PING = 9,
    FRAMES_PONG = 10,
};

#define FRAMES_CONTROL_MAX 125 /* payload of a control frame */
#define FRAMES_HEADER_MAX 10   /* of a frame from a server */

/* All zero at first. */
struct frames_reader {
    unsigned char header[14]; /* of the current frame, as far as it was received */
    uint8_t header_len;
    bool in_payload;
    bool fin;
    uint8_t opcode; /* of the frame */
    uint8_t kind;   /* of the current message: FRAMES_TEXT or FRAMES_BINARY; 0: none */
    uint8_t control_len;
    uint64_t left; /* payload bytes of the frame not read yet */
    uint8_t mask_at;
    unsigned char control[FRAMES_CONTROL_MAX];
};

enum frames_event {
    FRAMES_MORE,    /* all bytes were read */
    FRAMES_DATA,    /* a piece of a message, unmasked in place */
    FRAMES_CONTROL, /* a whole control frame: opcode, control, control_len of the reader */
    FRAMES_ERROR,   /* the client violated RFC 6455: close with 1002, read nothing more */
};

struct frames_piece {
    char *data;
    size_t len;
    bool binary;
    bool first;    /* of its message */
    bool last;     /* of its message */
    uint64_t left; /* payload bytes of its frame that follow */
};

/* Reads bytes from the front of *data and returns what they are. Frames without a mask, reserved
 * bits and reserved opcodes are errors. Call it again until FRAMES_MORE. */
enum frames_event frames_read(struct frames_reader *r, char **data, size_t *len,
                              struct frames_piece *piece) MUST_CHECK;

/* Writes the header of an unfragmented frame so that it ends before payload; returns its length, at
 * most FRAMES_HEADER_MAX. */
size_t frames_put_header(unsigned char *payload, enum frames_opcode opcode, uint64_t len);

/* Whether a close frame may have this code (RFC 6455 §7.4). */
bool frames_is_close_code(unsigned code);

#endif
