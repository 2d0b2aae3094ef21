/* Decodes requests: plain ones in one pass, all others with jansson. */
#include "wslock/wire/request.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "plain.h"
#include "socketio.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/jsonw.h"

#define REF_CODE_POINTS_MAX 64

/* The `id`, as JSON for the reply. False: not a valid one. */
static bool read_ref(const json_t *id, struct wire_ref *ref) {
    static struct buf scratch; /* reused */
    struct jsonw writer;
    const struct str text = jsonr_str(id);

    ref->len = 0;
    if (id == NULL) {
        return true;
    }
    buf_reset(&scratch);
    jsonw_init(&writer, &scratch);
    if (json_is_integer(id)) {
        jsonw_i64(&writer, json_integer_value(id));
    } else if (text.len > 0 && utf8_length(text.p, text.len) <= REF_CODE_POINTS_MAX) {
        jsonw_str(&writer, text);
    } else {
        return false;
    }
    assert(scratch.len <= sizeof(ref->json));
    memcpy(ref->json, scratch.data, scratch.len);
    ref->len = (uint16_t)scratch.len;
    return true;
}

static bool find_event(struct str name, enum wire_request_kind *kind) {
    static const struct str names[] = {
#define WIRE_REQUEST(id, text) {text, sizeof text - 1},
#include "wslock/wire/tables.def"
#undef WIRE_REQUEST
    };

    for (int i = 0; i < WIRE_REQ_COUNT; i++) {
        if (str_eq(name, names[i])) {
            *kind = (enum wire_request_kind)i;
            return true;
        }
    }
    return false;
}

static bool refuse(struct field_problem *problem, enum wire_error_code code, const char *message) {
    problem->code = code;
    problem->field = NULL;
    problem->message = message;
    return false;
}

static struct value find_value(const void *data, const char *name) {
    const json_t *json = json_object_get(data, name);
    struct value value = {.kind = VALUE_OTHER};

    if (json == NULL || json_is_null(json)) {
        value.kind = VALUE_ABSENT;
    } else if (json_is_string(json)) {
        value.kind = VALUE_STRING;
        value.text = jsonr_str(json);
    } else if (json_is_integer(json)) {
        value.kind = VALUE_INTEGER;
        value.integer = json_integer_value(json);
    } else if (json_is_boolean(json)) {
        value.kind = VALUE_BOOL;
        value.boolean = json_is_true(json);
    }
    return value;
}

/* From the parsed message to the request. *known: out->kind has been found. */
static bool read_frame(const json_t *frame, const json_t *data,
                       const struct wire_decode_options *options, struct wire_request *out,
                       bool *known, struct field_problem *problem) {
    const struct str event = jsonr_str(json_object_get(frame, "event"));

    if (!read_ref(json_object_get(frame, "id"), &out->ref)) {
        return refuse(problem, WIRE_ERR_INVALID_MESSAGE,
                      "id must be a string of 1 to 64 characters or an integer.");
    }
    if (event.p == NULL) {
        return refuse(problem, WIRE_ERR_INVALID_MESSAGE, "A message must have `event`, a string.");
    }
    *known = find_event(event, &out->kind);
    if (data != NULL && !json_is_object(data)) {
        return refuse(problem, WIRE_ERR_INVALID_MESSAGE, "data must be an object.");
    }
    if (!*known) {
        return refuse(problem, WIRE_ERR_UNKNOWN_EVENT, "There is no such event.");
    }
    return fields_read(find_value, data, options, out, problem);
}

/* Fills the error with what could be read of the message. */
static void fill_error(struct wire_decode_error *error, const struct field_problem *problem,
                       const struct wire_request *r, bool known, const json_t *data,
                       const struct wire_decode_options *options) {
    const struct str resource = jsonr_str(json_object_get(data, "resourceId"));

    error->code = problem->code;
    error->field = problem->field;
    error->message = problem->message;
    error->ref = r->ref;
    snprintf(error->event, sizeof(error->event), "%s", known ? wire_request_name(r->kind) : "");
    error->resource.len = 0;
    if (resource.p != NULL &&
        !wire_resource_parse(resource, options->reject_two_parts, &error->resource)) {
        error->resource.len = 0;
    }
}

static const char *fault_text(enum jsonr_fault fault) {
    switch (fault) {
    case JSONR_TOO_DEEP:
        return "Objects and arrays may be nested at most 16 deep.";
    case JSONR_OUT_OF_RANGE:
        return "A number does not fit into a 64-bit integer or a double.";
    case JSONR_NOT_AN_OBJECT:
    case JSONR_NAME_TWICE:
        break;
    }
    return "A message must be one JSON object without duplicate keys.";
}

static void set_defaults(struct wire_request *out) {
    memset(out, 0, sizeof(*out));
    out->active = true;
    out->dirty = -1;
}

/* ---- the native framing ---- */

/* False: use the other reader. */
static bool decode_plain(struct str text, const struct wire_decode_options *options,
                         struct wire_request *out) {
    struct plain_message message;
    struct field_problem problem;

    if (!plain_read(text, &message) || !find_event(message.event, &out->kind)) {
        return false;
    }
    if (message.id.len > 0) {
        memcpy(out->ref.json, message.id.p, message.id.len);
    }
    out->ref.len = (uint16_t)message.id.len;
    return fields_read(plain_find, &message, options, out, &problem);
}

bool wire_decode_native(const char *text, size_t len, const struct wire_decode_options *options,
                        struct wire_request *out, struct wire_decode_error *error) {
    struct field_problem problem;
    enum jsonr_fault fault;
    const json_t *data = NULL;
    json_t *frame = NULL;
    bool known = false;
    bool ok = false;

    set_defaults(out);
    if (decode_plain((struct str){text, len}, options, out)) {
        return true;
    }
    set_defaults(out);
    frame = jsonr_object((struct str){text, len}, &fault);
    if (frame == NULL) {
        refuse(&problem, WIRE_ERR_INVALID_MESSAGE, fault_text(fault));
        goto done;
    }
    data = json_object_get(frame, "data");
    ok = read_frame(frame, data, options, out, &known, &problem);
done:
    if (ok) {
        out->doc = frame;
        return true;
    }
    fill_error(error, &problem, out, known, data, options);
    json_decref(frame);
    return false;
}

static enum wire_decoded decode_native(struct str text, const struct wire_decode_options *options,
                                       struct wire_request *out, struct wire_decode_error *error) {
    return wire_decode_native(text.p, text.len, options, out, error) ? WIRE_DECODED_REQUEST
                                                                     : WIRE_DECODED_ERROR;
}

/* ---- Socket.IO ---- */

/* For CONNECT a token that is absent is an empty one: the handshake may have brought it. */
static struct value find_in_connect(const void *data, const char *name) {
    struct value value = find_value(data, name);

    if (value.kind == VALUE_ABSENT && strcmp(name, "token") == 0) {
        value = (struct value){.kind = VALUE_STRING, .text = str_of("")};
    }
    return value;
}

static bool decode_plain_event(const struct socketio_packet *packet,
                               const struct wire_decode_options *options,
                               struct wire_request *out) {
    struct plain_message message;
    struct field_problem problem;

    return plain_read_array(packet->payload, &message) && find_event(message.event, &out->kind) &&
           fields_read(plain_find, &message, options, out, &problem);
}

static void take_ref(const struct socketio_packet *packet, struct wire_request *out) {
    out->ref.connect = packet->type == SOCKETIO_CONNECT;
    out->ref.len = (uint16_t)packet->id.len;
    if (packet->id.len > 0) {
        memcpy(out->ref.json, packet->id.p, packet->id.len);
    }
}

/* ["NAME"] or ["NAME",DATA]. *data: borrowed from the array; NULL: none. False: it has another
 * form. */
static bool read_arguments(const json_t *array, struct wire_request *out, bool *known,
                           const json_t **data, struct field_problem *problem) {
    *known = find_event(jsonr_str(json_array_get(array, 0)), &out->kind);
    *data = json_array_get(array, 1);
    if (json_is_null(*data)) {
        *data = NULL;
    }
    if (json_array_size(array) > 2 || (*data != NULL && !json_is_object(*data))) {
        return refuse(problem, WIRE_ERR_INVALID_MESSAGE,
                      "An event takes one argument, which must be an object.");
    }
    return *known || refuse(problem, WIRE_ERR_UNKNOWN_EVENT, "There is no such event.");
}

static enum wire_decoded decode_event(const struct socketio_packet *packet,
                                      const struct wire_decode_options *options,
                                      struct wire_request *out, struct wire_decode_error *error) {
    struct field_problem problem;
    enum jsonr_fault fault;
    const json_t *data = NULL;
    bool known = false;

    set_defaults(out);
    take_ref(packet, out);
    if (decode_plain_event(packet, options, out)) {
        return WIRE_DECODED_REQUEST;
    }
    set_defaults(out);
    take_ref(packet, out);
    json_t *array = jsonr_array(packet->payload, &fault);
    if (array == NULL ? fault == JSONR_NOT_AN_OBJECT : !json_is_string(json_array_get(array, 0))) {
        json_decref(array);
        return WIRE_DECODED_BROKEN;
    }
    if (array == NULL) {
        refuse(&problem, WIRE_ERR_INVALID_MESSAGE, fault_text(fault));
    } else if (read_arguments(array, out, &known, &data, &problem) &&
               fields_read(find_value, data, options, out, &problem)) {
        out->doc = array;
        return WIRE_DECODED_REQUEST;
    }
    fill_error(error, &problem, out, known, data, options);
    json_decref(array);
    return WIRE_DECODED_ERROR;
}

static enum wire_decoded decode_connect(const struct socketio_packet *packet,
                                        const struct wire_decode_options *options,
                                        struct wire_request *out, struct wire_decode_error *error) {
    struct field_problem problem;
    struct str payload = packet->payload.len > 0 ? packet->payload : str_of("{}");

    set_defaults(out);
    take_ref(packet, out);
    out->kind = WIRE_REQ_AUTH;
    json_t *data = jsonr_object(payload, NULL);
    if (data == NULL) {
        return WIRE_DECODED_BROKEN;
    }
    if (fields_read(find_in_connect, data, options, out, &problem)) {
        out->doc = data;
        return WIRE_DECODED_REQUEST;
    }
    fill_error(error, &problem, out, true, data, options);
    json_decref(data);
    return WIRE_DECODED_ERROR;
}

static enum wire_decoded decode_socketio(struct str text, const struct wire_decode_options *options,
                                         struct wire_request *out,
                                         struct wire_decode_error *error) {
    struct socketio_packet packet;

    if (!socketio_split(text, &packet)) {
        return WIRE_DECODED_BROKEN;
    }
    if (packet.type == SOCKETIO_CONNECT) {
        return packet.space.len > 0 ? WIRE_DECODED_NAMESPACE
                                    : decode_connect(&packet, options, out, error);
    }
    if (packet.space.len > 0) {
        return WIRE_DECODED_BROKEN;
    }
    if (packet.type == SOCKETIO_DISCONNECT) {
        return WIRE_DECODED_DISCONNECT;
    }
    return packet.type == SOCKETIO_EVENT && options->connected
               ? decode_event(&packet, options, out, error)
               : WIRE_DECODED_BROKEN;
}

enum wire_decoded wire_decode(enum wire_framing framing, struct str text,
                              const struct wire_decode_options *options, struct wire_request *out,
                              struct wire_decode_error *error) {
    static enum wire_decoded (*const decoders[])(
        struct str text, const struct wire_decode_options *options, struct wire_request *out,
        struct wire_decode_error *error) = {
        [WIRE_FRAMING_NATIVE] = decode_native,
        [WIRE_FRAMING_SOCKETIO] = decode_socketio,
    };

    return decoders[framing](text, options, out, error);
}

void wire_request_fini(struct wire_request *r) {
    json_decref((json_t *)r->doc);
    r->doc = NULL;
}
