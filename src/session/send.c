/* Sending to a session: a client that reads too slowly is closed, nothing in between is dropped. */
#include "send.h"

#include "end.h"
#include "queue.h"
#include "wslock/metrics/metrics.h"

void session_send(struct session *s, struct wire_message *message) {
    if (!session_is_open(s)) {
        wire_message_unref(message);
        return;
    }
    metrics_add(METRIC_DELIVERIES, 1, NULL, NULL);
    if (!session_try_send(s, message)) {
        session_close(s, WIRE_CLOSE_TOO_SLOW);
    }
}
