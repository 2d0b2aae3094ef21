/* The closed sets of tables.def as texts and numbers. */
#include "wslock/wire/message.h"
#include "wslock/wire/request.h"

static const char *const request_names[] = {
#define WIRE_REQUEST(id, name) [WIRE_REQ_##id] = name,
#include "wslock/wire/tables.def"
#undef WIRE_REQUEST
};

static const char *const error_names[] = {
#define WIRE_ERROR(id) [WIRE_ERR_##id] = #id,
#include "wslock/wire/tables.def"
#undef WIRE_ERROR
};

static const struct {
    uint16_t code;
    bool reconnect;
    const char *reason;
} closes[] = {
#define WIRE_CLOSE(id, code, reason, reconnect, lock) [WIRE_CLOSE_##id] = {code, reconnect, reason},
#include "wslock/wire/tables.def"
#undef WIRE_CLOSE
};

const char *wire_framing_name(enum wire_framing framing) {
    static const char *const names[] = {
        [WIRE_FRAMING_NATIVE] = "native",
        [WIRE_FRAMING_SOCKETIO] = "socketio",
    };

    return names[framing];
}

bool wire_framing_connects(enum wire_framing framing) {
    return framing == WIRE_FRAMING_SOCKETIO;
}

const char *wire_request_name(enum wire_request_kind kind) {
    return request_names[kind];
}

const char *wire_error_name(enum wire_error_code code) {
    return error_names[code];
}

uint16_t wire_close_code(enum wire_close close) {
    return closes[close].code;
}

const char *wire_close_reason(enum wire_close close) {
    return closes[close].reason;
}

bool wire_close_reconnect(enum wire_close close) {
    return closes[close].reconnect;
}

const char *wire_action_name(enum wire_action action) {
    static const char *const names[] = {
        [WIRE_ACTION_APPROVE] = "APPROVE",
        [WIRE_ACTION_DENY] = "DENY",
        [WIRE_ACTION_IGNORE] = "IGNORE",
    };

    return names[action];
}
