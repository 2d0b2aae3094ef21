/* Reads the heads of requests. A request is answered before the next one is read. */
#include "requests.h"

#include "conn.h"
#include "http_call.h"
#include "idle.h"
#include "output.h"
#include "routes.h"
#include "upgrade.h"
#include "websocket.h"

static void refuse_head(struct conn *c, enum handshake_verdict verdict) {
    if (c->listener->kind == LISTENER_PUBLIC && !upgrade_admit_request(c)) {
        verdict = HANDSHAKE_RATE;
    }
    upgrade_refuse(c, verdict);
}

/* RFC 9110 §10.1.1: the client may wait for this before it sends the body. */
static void ask_for_body(struct conn *c) {
    static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (str_eqz(c->head.version, "HTTP/1.1") &&
        http_head_lists(&c->head, "Expect", "100-continue")) {
        (void)conn_write(c, CONTINUE, sizeof CONTINUE - 1);
    }
}

static void take_rest_as_frames(struct conn *c) {
    struct buf rest = conn_take(c, c->rx.len);
    if (rest.len > 0) {
        websocket_receive(c, rest.data, rest.len);
    }
    buf_fini(&rest);
}

static void take_head(struct conn *c, struct str text) {
    if (http_head_parse(text, &c->head)) {
        c->keep = http_head_persists(&c->head) && !http_head_has_body(&c->head);
        c->bodiless = str_eqz(c->head.method, "HEAD");
        routes_answer(c);
    } else {
        c->bodiless = false;
        refuse_head(c, HANDSHAKE_REQUEST);
    }
    if (c->phase == CONN_REQUEST && c->rx.len == 0) {
        ask_for_body(c);
    }
    c->head = (struct http_head){.fields = {NULL, 0}};
    if (c->phase == CONN_REQUEST) {
        http_call_advance(c);
    } else if (c->phase == CONN_WEBSOCKET) {
        take_rest_as_frames(c);
    }
}

static void advance_head(struct conn *c) {
    size_t max = (size_t)c->net->parts.config->limits.max_header_bytes;
    enum http_head_state state = http_head_scan(&c->scan, (struct str){c->rx.data, c->rx.len});
    size_t len = c->scan.at;
    if (state == HTTP_HEAD_MORE && len < max) {
        return;
    }
    struct buf text = conn_take(c, len); /* rx keeps what follows */
    c->scan = (struct http_head_scan){.at = 0};
    if (state == HTTP_HEAD_BAD) {
        refuse_head(c, HANDSHAKE_REQUEST);
    } else if (state == HTTP_HEAD_MORE || len > max) {
        refuse_head(c, HANDSHAKE_HEADERS);
    } else {
        take_head(c, (struct str){text.data, len});
    }
    buf_fini(&text);
}

void requests_receive(struct conn *c, const char *data, size_t len) {
    buf_append(&c->rx, data, len);
    if (c->paused) {
        return;
    }
    if (!list_empty(&c->idle)) {
        conn_await_request(c);
    }
    if (c->phase == CONN_HEAD) {
        advance_head(c);
    } else {
        http_call_advance(c);
    }
}

void requests_resume(struct conn *c) {
    if (!c->paused) {
        return;
    }
    conn_pause(c, false);
    if (c->rx.len == 0) {
        idle_begin(c);
        return;
    }
    conn_await_request(c);
    advance_head(c);
}
