/* The message whose data the writer has encoded. Private to the module. */
#ifndef WSLOCK_WIRE_FRAMING_H
#define WSLOCK_WIRE_FRAMING_H

#include "wslock/base/str.h"
#include "wslock/wire/message.h"

/* event: a static text that needs no escape. ref: the `id` of the answered request as JSON, len 0:
 * none. ref and data are copied. The caller has the message's one reference. */
struct wire_message *framing_message(const char *event, struct str ref, struct str data);

#endif
