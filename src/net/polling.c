/* The polling transport of Engine.IO: its requests. */
#include "polling.h"

#include "conn.h"
#include "http_call.h"
#include "wslock/base/clock.h"

void polling_refuse(struct http_response *response, enum polling_refusal code) {
    static const char *const messages[] = {
        [POLLING_TRANSPORT_UNKNOWN] = "Transport unknown",
        [POLLING_SID_UNKNOWN] = "Session ID unknown",
        [POLLING_BAD_METHOD] = "Bad handshake method",
        [POLLING_BAD_REQUEST] = "Bad request",
        [POLLING_FORBIDDEN] = "Forbidden",
        [POLLING_VERSION] = "Unsupported protocol version",
    };
    response->status = 400;
    response->type = "application/json";
    buf_printf(&response->body, "{\"code\":%d,\"message\":\"%s\"}", (int)code, messages[code]);
}

struct engineio *polling_find(const struct http_request *request) {
    char sid[RAND_ID_LEN + 1];
    return http_parameter(request, "sid", sid, sizeof sid) ? engine_find(request->conn->net, sid)
                                                           : NULL;
}

void polling_begin_packets(struct http_response *response) {
    response->type = "text/plain; charset=UTF-8";
    buf_append_str(&response->headers, "Cache-Control: no-store\r\n");
}

/* ---- GET: packets of the server ---- */

static void detach(struct engineio *e, struct conn *c) {
    e->poll = NULL;
    c->engine = NULL;
}

static void fill(struct engineio *e, struct http_response *response) {
    polling_begin_packets(response);
    buf_append(&response->body, e->payload.data, e->payload.len);
    buf_fini(&e->payload);
    buf_init(&e->payload);
}

static void take_waiting(struct engineio *e) {
    if (e->ping_queued) {
        e->ping_queued = false;
        engine_add_packet(e, str_of("2"));
    }
    session_on_writable(e->session);
    if (e->payload.len == 0 && e->probed) {
        engine_add_packet(e, str_of("6"));
    }
}

static void answer_last(struct engineio *e, struct http_response *response) {
    polling_begin_packets(response);
    buf_append_str(&response->body, "1");
    engine_finish(e);
}

static void take_poll(struct engineio *e, struct conn *c, struct http_response *response) {
    if (e->poll != NULL) { /* a client has one poll at a time */
        session_on_violation(e->session, WIRE_CLOSE_BAD_FRAMING);
        polling_refuse(response, POLLING_BAD_REQUEST);
        return;
    }
    if (e->closing) {
        answer_last(e, response);
        return;
    }
    engine_check_pong(e);
    if (e->closing) {
        polling_refuse(response, POLLING_SID_UNKNOWN);
        return;
    }
    e->poll = c;
    c->engine = e;
    take_waiting(e);
    if (e->payload.len > 0) {
        detach(e, c);
        fill(e, response);
        return;
    }
    c->phase = CONN_POLL;
    c->settled = true;
    wheel_cancel(&c->timer);
    response->later = true;
}

void polling_received(struct conn *c, const char *data, size_t len) {
    buf_append(&c->rx, data, len);
    conn_pause(c, true);
}

void polling_writable(struct conn *c) {
    struct engineio *e = c->engine;
    struct http_response response;
    if (e == NULL || e->payload.len == 0) {
        return;
    }
    http_response_init(&response);
    detach(e, c);
    fill(e, &response);
    engine_release(e);
    http_send(c, &response);
}

/* Packets may be lost with the connection. */
void polling_closed(struct conn *c) {
    struct engineio *e = c->engine;
    if (c->phase != CONN_POLL || e == NULL) {
        return;
    }
    detach(e, c);
    if (e->session == NULL) {
        engine_release(e);
    } else if (e->socket != NULL) {
        return; /* the WebSocket is the transport */
    } else if (e->closing) {
        engine_finish(e);
    } else {
        engine_end(e, SESSION_END_LOST, 0);
    }
}

/* ---- POST: packets of the client ---- */

static bool take_payload(struct engineio *e, struct str payload) {
    struct str packet;
    if (!utf8_valid(payload.p, payload.len)) {
        return engine_packet(e, "", 0);
    }
    while (str_cut(&payload, ENGINE_SEPARATOR, &packet)) {
        if (!engine_packet(e, packet.p, packet.len)) {
            return false;
        }
    }
    return engine_packet(e, payload.p, payload.len);
}

static void take_packets(const struct http_request *request, struct http_response *response) {
    struct engineio *e = polling_find(request);
    if (e == NULL) {
        polling_refuse(response, POLLING_SID_UNKNOWN);
        return;
    }
    if (e->socket != NULL || !take_payload(e, request->body)) {
        polling_refuse(response, POLLING_BAD_REQUEST);
        return;
    }
    polling_begin_packets(response);
    buf_append_str(&response->body, "ok");
}

static void take_post(struct engineio *e, const struct http_request *request,
                      struct http_response *response) {
    static struct http_route route = {.handle = take_packets};
    route.body_max = e->body_max;
    http_call_begin(request, &route, response);
    if (!response->later) {
        session_on_violation(e->session,
                             response->status == 413 ? WIRE_CLOSE_TOO_BIG : WIRE_CLOSE_BAD_FRAMING);
    }
}

void polling_take(struct engineio *e, const struct http_request *request,
                  struct http_response *response) {
    const struct http_head *head = &request->conn->head;
    if (str_eqz(head->method, "GET")) {
        take_poll(e, request->conn, response);
    } else if (str_eqz(head->method, "POST")) {
        take_post(e, request, response);
    } else {
        polling_refuse(response, POLLING_BAD_REQUEST);
    }
}
