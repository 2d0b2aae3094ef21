/* The requests of Engine.IO: checks them, opens sessions, and WebSockets as their transport. */
#include "engineio.h"

#include "conn.h"
#include "polling.h"
#include "websocket.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#define PROBE_TIMEOUT_MS 10000
#define REQUESTS_PER_MESSAGE 2 /* a POST, and a GET for the answer */

/* ---- WebSockets ---- */

static void refuse_socket(struct conn *c) {
    websocket_close(c, wire_close_code(WIRE_CLOSE_BAD_FRAMING),
                    wire_close_reason(WIRE_CLOSE_BAD_FRAMING));
}

static void take_probe_text(struct engineio *e, struct str text) {
    if (e->closing) {
        refuse_socket(e->probe);
    } else if (str_eqz(text, "2probe") && !e->probed) { /* once: answers have no bound */
        websocket_send_short(e->probe, "3probe");
        e->probed = true;
        if (e->poll != NULL && e->payload.len == 0) {
            engine_add_packet(e, str_of("6")); /* the client waits for it before it changes */
        }
    } else if (str_eqz(text, "5") && e->probed) {
        engine_use_probe(e);
    } else {
        refuse_socket(e->probe);
    }
}

static void on_text(struct conn *c, const char *text, size_t len) {
    struct engineio *e = c->engine;
    if (e != NULL && c == e->probe) {
        take_probe_text(e, (struct str){text, len});
    } else if (e != NULL) {
        (void)engine_packet(e, text, len);
    }
}

static void on_violation(struct conn *c, enum wire_close close) {
    struct engineio *e = c->engine;
    if (e != NULL && c == e->socket) {
        session_on_violation(e->session, close);
    } else {
        websocket_close(c, wire_close_code(close), wire_close_reason(close));
    }
}

static void on_binary(struct conn *c, const char *bytes, size_t len) {
    struct engineio *e = c->engine;
    if (e != NULL && c == e->socket) {
        engine_binary(e, bytes, len);
    } else {
        on_violation(c, WIRE_CLOSE_BAD_FRAMING);
    }
}

/* Engine.IO has its own pings. */
static void on_pong(struct conn *c) {
    (void)c;
}

static void on_writable(struct conn *c) {
    struct engineio *e = c->engine;
    if (e != NULL && c == e->socket) {
        session_on_writable(e->session);
    }
}

/* The session leaves its rooms at once. */
static void on_ending(struct conn *c, enum session_end end) {
    struct engineio *e = c->engine;
    if (e != NULL && c == e->socket) {
        session_on_ending(e->session, end);
    }
}

static void on_closed(struct conn *c, enum session_end end) {
    struct engineio *e = c->engine;
    c->engine = NULL;
    if (e != NULL && c == e->socket) {
        engine_end(e, end, c->peer_code);
    } else if (e != NULL) {
        e->probe = NULL;
        e->probed = false;
    }
}

static const struct websocket_user USER = {
    .on_text = on_text,
    .on_binary = on_binary,
    .on_violation = on_violation,
    .on_pong = on_pong,
    .on_writable = on_writable,
    .on_ending = on_ending,
    .on_closed = on_closed,
};

static void open_socket(struct conn *c) {
    struct upgrade_client client;
    upgrade_read_client(c, &client);
    enum handshake_verdict verdict = handshake_check_websocket(c->net->parts.config, &c->head);
    if (upgrade_admit(c, &client, verdict, &c->place) && upgrade_check_tokens(c, &client) &&
        websocket_accept(c, NULL, &USER)) {
        (void)engine_open(c, c, (struct admit_place){NULL, false}, &client);
    }
}

static void open_probe(struct engineio *e, struct conn *c) {
    struct upgrade_client client;
    upgrade_read_client(c, &client);
    enum handshake_verdict verdict = handshake_check_websocket(c->net->parts.config, &c->head);
    if (!upgrade_admit(c, &client, verdict, &c->place) || !websocket_accept(c, NULL, &USER)) {
        return;
    }
    if (e->socket != NULL || e->probe != NULL) {
        refuse_socket(c);
        return;
    }
    c->engine = e;
    e->probe = c;
    conn_end_after(c, PROBE_TIMEOUT_MS);
}

/* ---- polling ---- */

static void open_polling(struct conn *c, struct http_response *response) {
    struct upgrade_client client;
    struct admit_place place = {NULL, false};
    upgrade_read_client(c, &client);
    response->later = true; /* if it is refused */
    if (!upgrade_admit(c, &client, HANDSHAKE_OK, &place)) {
        return;
    }
    if (!upgrade_check_tokens(c, &client)) {
        admit_leave(c->net->admit, &place, clock_boot_us());
        return;
    }
    response->later = false;
    polling_begin_packets(response);
    engine_put_handshake(engine_open(c, NULL, place, &client), &response->body);
}

/* ---- requests ---- */

/* The Origin has been checked. */
static char *make_cors(const struct conn *c) {
    const struct config_strings *allowed = &c->net->parts.config->allowed_origins;
    struct str origin = http_head_first(&c->head, "Origin");
    if (http_head_count(&c->head, "Origin") == 0) {
        return NULL;
    }
    for (size_t i = 0; i < allowed->count; i++) {
        if (str_eqz(origin, allowed->items[i])) {
            return mem_printf("Access-Control-Allow-Origin: %s\r\n"
                              "Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n",
                              allowed->items[i]);
        }
    }
    return mem_strdup("Access-Control-Allow-Origin: *\r\n");
}

static void answer_preflight(struct http_response *response) {
    buf_append_str(&response->headers,
                   "Access-Control-Allow-Methods: GET, POST\r\n"
                   "Access-Control-Allow-Headers: Authorization, Content-Type\r\n"
                   "Access-Control-Max-Age: 600\r\n");
}

static bool has_parameter(const struct http_request *request, const char *name, const char *value) {
    char given[16];
    return http_parameter(request, name, given, sizeof given) && strcmp(given, value) == 0;
}

static bool has_name(const struct http_request *request, const char *name) {
    struct str rest = request->query, part, key;
    while (http_list_next(&rest, '&', &part)) {
        if (!str_cut(&part, '=', &key)) {
            key = part;
        }
        if (str_eqz(key, name)) {
            return true;
        }
    }
    return false;
}

/* Its pace is the server's: it waits for packets. */
static bool is_poll(const struct engineio *e, const struct conn *c) {
    return str_eqz(c->head.method, "GET") && e->socket == NULL && !e->probed;
}

/* False: it was refused. */
static bool within_rate(struct engineio *e, struct http_response *response) {
    const struct config *config = e->net->parts.config;
    if (rate_take(&e->rate, REQUESTS_PER_MESSAGE * (double)config->limits.messages_per_second,
                  REQUESTS_PER_MESSAGE * (double)config->limits.message_burst, clock_boot_us())) {
        return true;
    }
    session_on_violation(e->session, WIRE_CLOSE_RATE_LIMITED);
    http_error(response, 429, "RATE_LIMITED", "too many requests of this session");
    return false;
}

static void take_of_session(struct engineio *e, const struct http_request *request, bool websocket,
                            struct http_response *response) {
    if (e == NULL) {
        polling_refuse(response, POLLING_SID_UNKNOWN);
    } else if (e->socket != NULL && !websocket) {
        polling_refuse(response, POLLING_BAD_REQUEST);
    } else if (websocket) {
        response->later = true;
        open_probe(e, request->conn);
    } else {
        polling_take(e, request, response);
    }
}

static void refuse_first(struct http_response *response, enum polling_refusal code) {
    metrics_add(METRIC_REFUSED, 1, "handshake", NULL);
    polling_refuse(response, code);
}

static void take_first(const struct http_request *request, bool websocket,
                       struct http_response *response) {
    struct conn *c = request->conn;
    if (!str_eqz(c->head.method, "GET")) {
        refuse_first(response, POLLING_BAD_METHOD);
    } else if (!has_parameter(request, "EIO", "4")) {
        refuse_first(response, POLLING_VERSION);
    } else if (websocket) {
        response->later = true;
        open_socket(c);
    } else {
        open_polling(c, response);
    }
}

void engineio_take(const struct http_request *request, struct http_response *response) {
    struct conn *c = request->conn;
    struct upgrade_client client;
    bool websocket = has_parameter(request, "transport", "websocket");
    bool polling =
        has_parameter(request, "transport", "polling") && c->net->parts.config->paths.polling;
    if (handshake_check_origin(c->net->parts.config, &c->head) != HANDSHAKE_OK) {
        upgrade_read_client(c, &client);
        response->later = true;
        upgrade_refuse_origin(c, &client);
        return;
    }
    c->cors = make_cors(c);
    struct engineio *e = polling_find(request);
    if (e != NULL && !(polling && is_poll(e, c)) && !within_rate(e, response)) {
        return;
    }
    if (str_eqz(c->head.method, "OPTIONS")) {
        answer_preflight(response);
    } else if (!websocket && !polling) {
        refuse_first(response, POLLING_TRANSPORT_UNKNOWN);
    } else if (websocket != (http_head_count(&c->head, "Upgrade") > 0)) {
        refuse_first(response, POLLING_BAD_REQUEST);
    } else if (has_name(request, "sid")) {
        take_of_session(e, request, websocket, response);
    } else {
        take_first(request, websocket, response);
    }
}

/* The configured path ends in a slash, which a client may leave out. */
bool engineio_has_path(const struct net *n, struct str path) {
    struct str own = str_of(n->parts.config->paths.socketio);
    return str_eq(path, own) || (own.len > 1 && str_eq(path, (struct str){own.p, own.len - 1})) ||
           engine_is_plain(n, path);
}

bool engineio_owns(const struct conn *c) {
    const struct http_request request = {.conn = (struct conn *)c, .query = c->head.query};
    return c->listener->kind == LISTENER_PUBLIC && engineio_has_path(c->net, c->head.path) &&
           handshake_check_origin(c->net->parts.config, &c->head) == HANDSHAKE_OK &&
           polling_find(&request) != NULL;
}

void engineio_end_all(struct net *n) {
    LIST_FOREACH_ENTRY(struct engineio, e, node, &n->engine_list) {
        engine_end(e, SESSION_END_LOST, 0);
    }
}
