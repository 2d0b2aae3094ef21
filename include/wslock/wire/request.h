/*
 * Decoding of a client's message: bytes to one checked request, by a table of events and their
 * fields. Pure, no I/O. Unknown fields are ignored. Known fields are checked for type and bounds;
 * `null` for an optional field is the same as its absence.
 */
#ifndef WSLOCK_WIRE_REQUEST_H
#define WSLOCK_WIRE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/str.h"
#include "wslock/wire/resource.h"

enum wire_request_kind {
#define WIRE_REQUEST(id, name) WIRE_REQ_##id,
#include "wslock/wire/tables.def"
#undef WIRE_REQUEST
    WIRE_REQ_COUNT
};
const char *wire_request_name(enum wire_request_kind kind);

enum wire_error_code {
#define WIRE_ERROR(id) WIRE_ERR_##id,
#include "wslock/wire/tables.def"
#undef WIRE_ERROR
    WIRE_ERR_COUNT
};
const char *wire_error_name(enum wire_error_code code);

enum wire_framing { WIRE_FRAMING_NATIVE, WIRE_FRAMING_SOCKETIO, WIRE_FRAMING_COUNT };
const char *wire_framing_name(enum wire_framing framing);
/* Whether a connection must be opened by a CONNECT packet before it may carry events. */
bool wire_framing_connects(enum wire_framing framing);

/* The `id` of a request, as JSON for the reply: in Socket.IO the number of its acknowledgement. */
#define WIRE_REF_MAX 400 /* 64 code points, escaped at worst as \uXXXX (one or two) */
struct wire_ref {
    uint16_t len; /* 0: none */
    bool connect; /* the request is Socket.IO's CONNECT */
    char json[WIRE_REF_MAX];
};

enum wire_presence { WIRE_PRESENCE_DIFF, WIRE_PRESENCE_FULL, WIRE_PRESENCE_NONE };

enum wire_action { WIRE_ACTION_APPROVE, WIRE_ACTION_DENY, WIRE_ACTION_IGNORE };
const char *wire_action_name(enum wire_action action);

struct wire_request {
    enum wire_request_kind kind;
    struct wire_ref ref;
    struct wire_resource resource; /* every event but auth*, *_reply and *_cancel */
    struct str auth_token;       /* auth*: token; any string, checked by auth; CONNECT: or empty */
    struct str client_id;        /* auth, join: clientId; len 0: absent */
    struct str page_id;          /* auth, join: pageId; the same */
    bool editor;                 /* join: mode */
    enum wire_presence presence; /* join */
    int64_t token;               /* join, heartbeat: fencing token; 0: absent */
    bool active;                 /* heartbeat, default true */
    int dirty;                   /* heartbeat: -1 absent, 0, 1 */
    bool take_own;               /* acquire */
    struct str revision;         /* release, *_reply; p NULL: absent; at most 128 code points */
    struct str message;          /* request: at most 500 code points; p NULL: absent */
    struct str reason;           /* takeover: 1 to 500 code points */
    struct str request_id;       /* *_reply, *_cancel: 1 to 64 code points */
    enum wire_action action;     /* *_reply; no IGNORE in takeover_reply */
    bool urgent;                 /* takeover */
    void *doc;                   /* private: owns what the strs point into */
};

struct wire_decode_error {
    enum wire_error_code code;
    struct wire_ref ref; /* of the request, where it could be read */
    const char *field;   /* INVALID_ARGUMENT: static name */
    const char *message; /* static English sentence */
    char event[33];      /* the event's name if it is known, else ""; for the log and metrics */
    struct wire_resource resource; /* len 0: none, or invalid */
};

struct wire_decode_options {
    bool reject_two_parts;
    bool connected; /* wire_framing_connects: CONNECT was accepted */
};

enum wire_decoded {
    WIRE_DECODED_REQUEST,    /* *out is set, to be freed with wire_request_fini */
    WIRE_DECODED_ERROR,      /* *error is set */
    WIRE_DECODED_DISCONNECT, /* the client leaves on purpose */
    WIRE_DECODED_NAMESPACE,  /* CONNECT to a namespace that does not exist: wire_namespace_refused
                                is the answer */
    WIRE_DECODED_BROKEN,     /* the framing is broken */
};

/* Decodes one message. The text must be valid UTF-8; in Socket.IO it is a packet without the type
 * of Engine.IO. */
enum wire_decoded wire_decode(enum wire_framing framing, struct str text,
                              const struct wire_decode_options *options, struct wire_request *out,
                              struct wire_decode_error *error) MUST_CHECK;

/* Decodes one text message of the native framing. The text must be valid UTF-8. True: *out is set,
 * to be freed with wire_request_fini. False: *error is set. */
bool wire_decode_native(const char *text, size_t len, const struct wire_decode_options *options,
                        struct wire_request *out, struct wire_decode_error *error) MUST_CHECK;
void wire_request_fini(struct wire_request *r);

#endif
