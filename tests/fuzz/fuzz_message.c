/* Any bytes as a message: what is decoded keeps its promises, and what is answered is JSON. */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/base/str.h"
#include "wslock/wire/message.h"
#include "wslock/wire/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

/* The native frame is one JSON object that echoes the id. */
static void check_message(struct wire_message *message, const struct wire_ref *ref) {
    struct frame *frame = wire_message_frame(message, WIRE_FRAMING_NATIVE, 0);
    json_t *got = json_loadb((const char *)frame_payload(frame), frame->len,
                             JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

    require(json_is_object(got));
    require(utf8_valid((const char *)frame_payload(frame), frame->len));
    require((json_object_get(got, "id") != NULL) == (ref->len > 0));
    json_decref(got);
    wire_message_unref(message);
}

static void check_resource(const struct wire_resource *r) {
    struct wire_resource again;

    require(wire_resource_parse(wire_resource_str(r), true, &again));
    require(strcmp(r->text, again.text) == 0);
}

static void check_request(const struct wire_request *r) {
    struct wire_to to = {.ref = &r->ref};
    struct wire_at at = {.resource = wire_resource_str(&r->resource)};

    require(r->kind < WIRE_REQ_COUNT);
    require(r->ref.len <= WIRE_REF_MAX);
    require(r->token >= 0 && r->token <= INT64_C(9007199254740991));
    require(r->client_id.len == 0 || wire_client_id_valid(r->client_id));
    require(r->revision.p == NULL || utf8_length(r->revision.p, r->revision.len) <= 128);
    if (r->kind == WIRE_REQ_AUTH) {
        require(r->auth_token.p != NULL && utf8_valid(r->auth_token.p, r->auth_token.len));
        check_message(wire_recovered(&to), &r->ref);
        return;
    }
    check_resource(&r->resource);
    check_message(wire_lost(&to, &at, r->token, "NOT_HELD", r->revision), &r->ref);
}

static void check_error(const struct wire_decode_error *e) {
    struct wire_to to = {.ref = &e->ref};
    struct wire_error_extra extra = {.field = e->field};

    require(e->ref.len <= WIRE_REF_MAX);
    require(e->message != NULL && memchr(e->event, '\0', sizeof(e->event)) != NULL);
    require((e->code == WIRE_ERR_INVALID_ARGUMENT) == (e->field != NULL));
    if (e->resource.len > 0) {
        check_resource(&e->resource);
        extra.resource = wire_resource_str(&e->resource);
    }
    check_message(wire_error(&to, e->code, e->message, "ref", &extra), &e->ref);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int reject = 0; reject < 2; reject++) {
        struct wire_decode_options options = {.reject_two_parts = reject == 1};
        struct wire_request request;
        struct wire_decode_error error;

        if (wire_decode_native((const char *)data, size, &options, &request, &error)) {
            check_request(&request);
            wire_request_fini(&request);
        } else {
            check_error(&error);
        }
    }
    return 0;
}
