#include "wslock/wire/request.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/jsonw.h"

#define REF_CODE_POINTS_MAX 64

/* The `id`, kept as the JSON that goes out again. False if it is neither absent nor as it must be.
 */
static bool read_ref(const json_t *id, struct wire_ref *ref) {
    static struct buf scratch; /* kept from call to call */
    struct jsonw writer;
    struct str text;

    ref->len = 0;
    if (!id) {
        return true;
    }
    buf_reset(&scratch);
    jsonw_init(&writer, &scratch);
    if (json_is_integer(id)) {
        jsonw_i64(&writer, json_integer_value(id));
    } else if (field_str(id, &text) && text.len > 0 &&
               utf8_length(text.p, text.len) <= REF_CODE_POINTS_MAX) {
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
    for (int i = 0; i < WIRE_REQ_COUNT; i++) {
        if (str_eqz(name, wire_request_name((enum wire_request_kind)i))) {
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

/* From the parsed frame to the request; *known says whether out->kind has been found. */
static bool read_frame(const json_t *frame, const json_t *data,
                       const struct wire_decode_options *options, struct wire_request *out,
                       bool *known, struct field_problem *problem) {
    struct str event;

    if (!read_ref(json_object_get(frame, "id"), &out->ref)) {
        return refuse(problem, WIRE_ERR_INVALID_MESSAGE,
                      "id must be a string of 1 to 64 characters or an integer.");
    }
    if (!field_str(json_object_get(frame, "event"), &event)) {
        return refuse(problem, WIRE_ERR_INVALID_MESSAGE,
                      "A message needs an event, which is a string.");
    }
    *known = find_event(event, &out->kind);
    if (data && !json_is_object(data)) {
        return refuse(problem, WIRE_ERR_INVALID_MESSAGE, "data must be an object.");
    }
    if (!*known) {
        return refuse(problem, WIRE_ERR_UNKNOWN_EVENT, "There is no such event.");
    }
    return fields_read(data, options, out, problem);
}

/* Whatever the frame told of itself goes into the error. */
static void fill_error(struct wire_decode_error *error, const struct field_problem *problem,
                       const struct wire_request *r, bool known, const json_t *data,
                       const struct wire_decode_options *options) {
    struct str resource;

    error->code = problem->code;
    error->field = problem->field;
    error->message = problem->message;
    error->ref = r->ref;
    snprintf(error->event, sizeof(error->event), "%s", known ? wire_request_name(r->kind) : "");
    error->resource.len = 0;
    if (field_str(json_object_get(data, "resourceId"), &resource) &&
        !wire_resource_parse(resource, options->reject_two_parts, &error->resource)) {
        error->resource.len = 0;
    }
}

static const char *fault_text(enum jsonr_fault fault) {
    switch (fault) {
    case JSONR_TOO_DEEP:
        return "The message is nested deeper than 16.";
    case JSONR_OUT_OF_RANGE:
        return "A number is an integer of 64 bits or fits into a double.";
    case JSONR_NOT_AN_OBJECT:
    case JSONR_NAME_TWICE:
        break;
    }
    return "A message is one JSON object that has no key twice.";
}

bool wire_decode_native(const char *text, size_t len, const struct wire_decode_options *options,
                        struct wire_request *out, struct wire_decode_error *error) {
    struct field_problem problem;
    enum jsonr_fault fault;
    const json_t *data = NULL;
    json_t *frame = NULL;
    bool known = false;
    bool ok = false;

    memset(out, 0, sizeof(*out));
    out->active = true;
    out->dirty = -1;
    frame = jsonr_object((struct str){text, len}, &fault);
    if (!frame) {
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

void wire_request_fini(struct wire_request *r) {
    json_decref((json_t *)r->doc);
    r->doc = NULL;
}
