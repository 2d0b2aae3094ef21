/* Sending to a session. No message is dropped: if a client reads too slowly, it is disconnected. */
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
