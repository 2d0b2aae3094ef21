#include "ws.h"

#include <string.h>

#define FIN 0x80
#define MASKED 0x80

static const unsigned char MASK[4] = {0x5a, 0x13, 0xc7, 0x88};

static void apply_mask(unsigned char *p, size_t len, const unsigned char mask[4]) {
    for (size_t i = 0; i < len; i++) {
        p[i] = (unsigned char)(p[i] ^ mask[i & 3]);
    }
}

static size_t read_length(const unsigned char *p, size_t bytes) {
    size_t len = 0;
    for (size_t i = 0; i < bytes; i++) {
        len = len << 8 | p[i];
    }
    return len;
}

bool ws_parse(unsigned char *data, size_t len, struct ws_frame *frame) {
    if (len < 2) {
        return false;
    }
    size_t header = 2, payload = data[1] & 0x7f;
    bool masked = data[1] & MASKED;
    if (payload >= 126) {
        size_t bytes = payload == 126 ? 2 : 8;
        if (len < 2 + bytes) {
            return false;
        }
        payload = read_length(data + 2, bytes);
        header += bytes;
    }
    header += masked ? 4 : 0;
    if (len < header || len - header < payload) {
        return false;
    }
    if (masked) {
        apply_mask(data + header, payload, data + header - 4);
    }
    *frame = (struct ws_frame){data[0] & 0x0f, (char *)data + header, payload, header + payload};
    return true;
}

size_t ws_build(unsigned char *out, enum ws_opcode opcode, const char *payload, size_t len,
                bool masked) {
    unsigned char *p = out;
    *p++ = (unsigned char)(FIN | opcode);
    if (len < 126) {
        *p++ = (unsigned char)len;
    } else {
        size_t bytes = len < 65536 ? 2 : 8;
        *p++ = bytes == 2 ? 126 : 127;
        for (size_t i = bytes; i > 0; i--) {
            *p++ = (unsigned char)(len >> (8 * (i - 1)));
        }
    }
    if (masked) {
        out[1] |= MASKED;
        memcpy(p, MASK, sizeof MASK);
        p += sizeof MASK;
    }
    if (len > 0) {
        memcpy(p, payload, len);
    }
    if (masked) {
        apply_mask(p, len, MASK);
    }
    return (size_t)(p - out) + len;
}
