/* Reads and writes the headers of WebSocket frames. */
#include "frames.h"

#include <string.h>

#define FIN 0x80
#define RESERVED 0x70
#define OPCODE 0x0f
#define MASKED 0x80
#define LENGTH 0x7f
#define LENGTH_16 126
#define LENGTH_64 127

static bool is_control(uint8_t opcode) {
    return opcode >= FRAMES_CLOSE;
}

/* The length of the header; before its first two bytes are read, 2. */
static size_t header_size(const struct frames_reader *r) {
    if (r->header_len < 2) {
        return 2;
    }
    size_t size = r->header[1] & MASKED ? 6 : 2;
    switch (r->header[1] & LENGTH) {
    case LENGTH_16:
        return size + 2;
    case LENGTH_64:
        return size + 8;
    default:
        return size;
    }
}

static uint64_t read_number(const unsigned char *p, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | p[i];
    }
    return value;
}

/* Checks the first two bytes, so that a bad frame is refused before its payload is read. */
static bool is_allowed(const struct frames_reader *r) {
    uint8_t opcode = r->header[0] & OPCODE;
    if ((r->header[0] & RESERVED) != 0 || (r->header[1] & MASKED) == 0) {
        return false;
    }
    switch (opcode) {
    case FRAMES_CONTINUATION:
        return r->kind != 0;
    case FRAMES_TEXT:
    case FRAMES_BINARY:
        return r->kind == 0;
    case FRAMES_CLOSE:
    case FRAMES_PING:
    case FRAMES_PONG:
        return (r->header[0] & FIN) != 0 && (r->header[1] & LENGTH) <= FRAMES_CONTROL_MAX;
    default:
        return false;
    }
}

/* The header is complete. False: its length is not valid or not in the shortest form (RFC 6455
 * §5.2). */
static bool begin_payload(struct frames_reader *r) {
    uint8_t length = r->header[1] & LENGTH;
    uint64_t least = 0;
    r->left = length;
    if (length == LENGTH_16) {
        r->left = read_number(r->header + 2, 2);
        least = LENGTH_16;
    } else if (length == LENGTH_64) {
        r->left = read_number(r->header + 2, 8);
        least = UINT16_MAX + 1;
    }
    if (r->left < least || r->left > INT64_MAX) {
        return false;
    }
    r->fin = (r->header[0] & FIN) != 0;
    r->opcode = r->header[0] & OPCODE;
    r->mask_at = 0;
    r->control_len = 0;
    r->in_payload = true;
    return true;
}

static enum frames_event read_header(struct frames_reader *r, char **data, size_t *len) {
    while (*len > 0) {
        r->header[r->header_len++] = (unsigned char)*(*data)++;
        (*len)--;
        if (r->header_len == 2 && !is_allowed(r)) {
            return FRAMES_ERROR;
        }
        if (r->header_len >= 2 && r->header_len == header_size(r)) {
            return begin_payload(r) ? FRAMES_DATA : FRAMES_ERROR;
        }
    }
    return FRAMES_MORE;
}

static void unmask(struct frames_reader *r, char *data, size_t len) {
    const unsigned char *mask = r->header + r->header_len - 4;
    unsigned char *p = (unsigned char *)data;
    for (size_t i = 0; i < len; i++) {
        p[i] = (unsigned char)(p[i] ^ mask[(r->mask_at + i) & 3]);
    }
    r->mask_at = (uint8_t)((r->mask_at + len) & 3);
}

static void end_frame(struct frames_reader *r) {
    r->in_payload = false;
    r->header_len = 0;
}

enum frames_event frames_read(struct frames_reader *r, char **data, size_t *len,
                              struct frames_piece *piece) {
    if (!r->in_payload) {
        enum frames_event event = read_header(r, data, len);
        if (event != FRAMES_DATA) {
            return event;
        }
    } else if (*len == 0) {
        return FRAMES_MORE;
    }
    size_t taken = r->left < *len ? (size_t)r->left : *len;
    bool begins = r->opcode != FRAMES_CONTINUATION && r->kind == 0;
    unmask(r, *data, taken);
    char *at = *data;
    *data += taken;
    *len -= taken;
    r->left -= taken;
    if (is_control(r->opcode)) {
        memcpy(r->control + r->control_len, at, taken);
        r->control_len += (uint8_t)taken;
        if (r->left > 0) {
            return FRAMES_MORE;
        }
        end_frame(r);
        return FRAMES_CONTROL;
    }
    if (begins) {
        r->kind = r->opcode;
    }
    *piece = (struct frames_piece){
        .data = at,
        .len = taken,
        .binary = r->kind == FRAMES_BINARY,
        .first = begins,
        .last = r->fin && r->left == 0,
        .left = r->left,
    };
    if (piece->last) {
        r->kind = 0;
    }
    if (r->left == 0) {
        end_frame(r);
    }
    return FRAMES_DATA;
}

size_t frames_put_header(unsigned char *payload, enum frames_opcode opcode, uint64_t len) {
    size_t extra = len < LENGTH_16 ? 0 : len <= UINT16_MAX ? 2 : 8;
    unsigned char *p = payload - 2 - extra;
    p[0] = (unsigned char)(FIN | opcode);
    p[1] = (unsigned char)(extra == 0 ? len : extra == 2 ? LENGTH_16 : LENGTH_64);
    for (size_t i = 0; i < extra; i++) {
        p[2 + i] = (unsigned char)(len >> 8 * (extra - 1 - i));
    }
    return 2 + extra;
}

bool frames_is_close_code(unsigned code) {
    if (code >= 3000) {
        return code < 5000;
    }
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}
