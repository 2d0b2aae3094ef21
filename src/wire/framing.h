/* The message whose data the writer has encoded. Private to the module. */
#ifndef WSLOCK_WIRE_FRAMING_H
#define WSLOCK_WIRE_FRAMING_H

#include "wslock/base/str.h"
#include "wslock/wire/message.h"

struct wire_message {
    uint32_t refs;
    bool is_last; /* the client must not come back: Socket.IO's DISCONNECT follows */
    const char *event;
    struct str ref, data; /* point into `text` */
    /* NULL: no receiver has needed it, or there are no more. */
    struct frame *frames[WIRE_FRAMING_COUNT][WIRE_FRAMES_MAX];
    char text[];
};

#define FRAMING_TEXT(literal) ((struct str){literal, sizeof(literal) - 1})

/* event: a static text that needs no escape. ref: the `id` of the answered request as JSON, len 0:
 * none. ref and data are copied. The caller has the message's one reference. */
struct wire_message *framing_message(const char *event, struct str ref, struct str data);

#endif
