/*
 * The send queue of a connection: what the transport has not taken yet, in order, at most
 * limits.sendQueueBytes.
 */
#include "queue.h"

#include "registry.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

struct queued_frame {
    struct list node;
    struct frame *frame;
};

static void push(struct session *s, struct frame *frame) {
    struct queued_frame *q = mem_alloc(sizeof *q);
    q->frame = frame;
    list_push_back(&s->queue, &q->node);
    s->queue_bytes += frame->len;
    metrics_add(METRIC_SEND_QUEUE, frame->len, NULL, NULL);
}

static void pop(struct session *s, struct queued_frame *q) {
    list_remove(&q->node);
    s->queue_bytes -= q->frame->len;
    metrics_add(METRIC_SEND_QUEUE, -(double)q->frame->len, NULL, NULL);
    frame_unref(q->frame);
    mem_free(q);
}

void session_queue_clear(struct session *s) {
    LIST_FOREACH_ENTRY(struct queued_frame, q, node, &s->queue) {
        pop(s, q);
    }
}

static bool full(const struct session *s, const struct frame *frame) {
    int64_t limit = s->gateway->parts.config->limits.send_queue_bytes;
    return s->queue_bytes + frame->len > (size_t)limit;
}

/* False: it is dropped, because the queue is full. */
static bool write_or_push(struct session *s, struct frame *frame) {
    if (list_empty(&s->queue) && s->transport->write(s->conn, frame) != SESSION_WRITE_BUSY) {
        return true;
    }
    if (full(s, frame)) {
        return false;
    }
    push(s, frame_ref(frame));
    s->transport->want_write(s->conn);
    return true;
}

bool session_try_send(struct session *s, struct wire_message *message) {
    struct frame *frame;
    bool sent = true;
    for (size_t i = 0; sent && (frame = wire_message_frame(message, s->framing, i)) != NULL; i++) {
        sent = write_or_push(s, frame);
    }
    wire_message_unref(message);
    return sent;
}

void session_on_writable(struct session *s) {
    LIST_FOREACH_ENTRY(struct queued_frame, q, node, &s->queue) {
        enum session_write written = s->transport->write(s->conn, q->frame);
        if (written == SESSION_WRITE_BUSY) {
            s->transport->want_write(s->conn);
            return;
        }
        pop(s, q);
        if (written == SESSION_WRITE_DEAD) {
            break;
        }
    }
    if (s->state == SESSION_CLOSING && s->close_set && list_empty(&s->queue)) {
        s->transport->close(s->conn, wire_close_code(s->close), wire_close_reason(s->close));
    }
}
