/* Any bytes as what a client sends behind its handshake: however they are cut, the same is read. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/net/frames.h"
#include "wslock/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void note_piece(const struct frames_piece *piece, struct buf *seen) {
    require(piece->left <= INT64_MAX && (!piece->last || piece->left == 0));
    if (piece->first) {
        buf_append_char(seen, piece->binary ? 'B' : 'T');
    }
    buf_append(seen, piece->data, piece->len);
    if (piece->last) {
        buf_append_char(seen, '>');
    }
}

/* False at an error. */
static bool read_some(struct frames_reader *r, char *data, size_t len, struct buf *seen) {
    struct frames_piece piece;
    const char *end = data + len;

    for (;;) {
        switch (frames_read(r, &data, &len, &piece)) {
        case FRAMES_MORE:
            require(len == 0 && data == end);
            return true;
        case FRAMES_ERROR:
            buf_append_char(seen, '!');
            return false;
        case FRAMES_CONTROL:
            require(r->control_len <= FRAMES_CONTROL_MAX && r->opcode >= FRAMES_CLOSE);
            buf_append_char(seen, (char)r->opcode);
            buf_append(seen, r->control, r->control_len);
            break;
        case FRAMES_DATA:
            note_piece(&piece, seen);
            break;
        }
        require(data + len == end);
    }
}

static void read_all(const uint8_t *data, size_t size, size_t step, struct buf *seen) {
    struct frames_reader r = {0};

    for (size_t at = 0; at < size; at += step) {
        size_t len = size - at < step ? size - at : step;
        char *copy = malloc(len);

        require(copy != NULL);
        memcpy(copy, data + at, len);
        bool more = read_some(&r, copy, len, seen);
        free(copy);
        if (!more) {
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t STEPS[] = {1, 3, 7, 100};
    struct buf whole, parts;

    buf_init(&whole);
    read_all(data, size, size + 1, &whole);
    for (size_t i = 0; i < ARRAY_LEN(STEPS); i++) {
        buf_init(&parts);
        read_all(data, size, STEPS[i], &parts);
        require(parts.len == whole.len &&
                (whole.len == 0 || memcmp(parts.data, whole.data, whole.len) == 0));
        buf_fini(&parts);
    }
    buf_fini(&whole);
    return 0;
}
