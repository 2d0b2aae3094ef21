/* Any bytes as a packet of Socket.IO: what is decoded keeps its promises, and what is answered is
 * made of whole packets. */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/base/str.h"
#include "wslock/wire/message.h"
#include "wslock/wire/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

/* Digits, perhaps a namespace, then JSON; and no byte that separates the packets of a payload. */
static void check_answer(struct wire_message *message) {
    struct frame *frame;
    for (size_t i = 0; (frame = wire_message_frame(message, WIRE_FRAMING_SOCKETIO, i)) != NULL;
         i++) {
        const char *text = (const char *)frame_payload(frame), *end = text + frame->len;
        require(frame->len >= 2 && text[0] == '4');
        require(utf8_valid(text, frame->len) && memchr(text, 0x1e, frame->len) == NULL);
        if (frame->len > 2 && text[2] == '/') {
            text = memchr(text, ',', frame->len);
            require(text != NULL);
        }
        while (text < end && *text != '{' && *text != '[') {
            text++;
        }
        if (text < end) {
            json_t *got = json_loadb(text, (size_t)(end - text),
                                     JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
            require(got != NULL);
            json_decref(got);
        }
    }
    wire_message_unref(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = {(const char *)data, size};
    if (!utf8_valid(text.p, size)) {
        return 0;
    }
    for (int connected = 0; connected < 2; connected++) {
        struct wire_decode_options options = {.connected = connected == 1};
        struct wire_request request;
        struct wire_decode_error error;
        struct wire_to to = {0};
        switch (wire_decode(WIRE_FRAMING_SOCKETIO, text, &options, &request, &error)) {
        case WIRE_DECODED_REQUEST:
            require(request.kind < WIRE_REQ_COUNT && request.ref.len <= 15);
            require(connected == 1 || request.ref.connect);
            require(!request.ref.connect || request.kind == WIRE_REQ_AUTH);
            to.ref = &request.ref;
            check_answer(wire_error(&to, WIRE_ERR_INTERNAL, "m", "ref", NULL));
            wire_request_fini(&request);
            break;
        case WIRE_DECODED_ERROR:
            require(error.message != NULL && error.ref.len <= 15);
            to.ref = &error.ref;
            check_answer(wire_error(&to, error.code, error.message, "ref", NULL));
            break;
        case WIRE_DECODED_NAMESPACE:
            check_answer(wire_namespace_refused(text));
            break;
        case WIRE_DECODED_DISCONNECT:
        case WIRE_DECODED_BROKEN:
            break;
        }
    }
    return 0;
}
