/* Socket.IO: what the packets of a client mean, and the packets of each kind of message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire_cases.h"
#include "wslock/base/buf.h"
#include "wslock/wire/message.h"

static void put_ref(struct buf *out, const struct wire_ref *ref) {
    if (ref->connect) {
        buf_append_str(out, " connect");
    }
    if (ref->len > 0) {
        buf_append_str(out, " id=");
        buf_append(out, ref->json, ref->len);
    }
}

static void describe_request(struct buf *out, const struct wire_request *r) {
    buf_printf(out, "request %s", wire_request_name(r->kind));
    put_ref(out, &r->ref);
    if (r->auth_token.p != NULL) {
        buf_append_str(out, " token=");
        buf_append(out, r->auth_token.p, r->auth_token.len);
    }
    if (r->resource.len > 0) {
        buf_printf(out, " resource=%s", r->resource.text);
    }
}

static void describe_frames(struct buf *out, struct wire_message *m) {
    struct frame *frame;
    for (size_t i = 0; (frame = wire_message_frame(m, WIRE_FRAMING_SOCKETIO, i)) != NULL; i++) {
        buf_append_str(out, i > 0 ? " " : "");
        buf_append(out, (const char *)frame_payload(frame), frame->len);
    }
    wire_message_unref(m);
}

static void check_packet(const struct wire_case *c, void *ctx) {
    struct wire_request r;
    struct wire_decode_error e;
    struct buf got;
    /* Exactly as long, so that a sanitizer sees a read behind it. */
    char *copy = malloc(c->input.len + 1);

    assert_non_null(copy);
    memcpy(copy, c->input.p != NULL ? c->input.p : "", c->input.len);
    struct str text = {copy, c->input.len};
    buf_init(&got);
    switch (wire_decode(WIRE_FRAMING_SOCKETIO, text, ctx, &r, &e)) {
    case WIRE_DECODED_REQUEST:
        describe_request(&got, &r);
        wire_request_fini(&r);
        break;
    case WIRE_DECODED_ERROR:
        assert_non_null(e.message);
        buf_printf(&got, "error %s", wire_error_name(e.code));
        put_ref(&got, &e.ref);
        break;
    case WIRE_DECODED_DISCONNECT:
        buf_append_str(&got, "disconnect");
        break;
    case WIRE_DECODED_NAMESPACE:
        buf_append_str(&got, "namespace ");
        describe_frames(&got, wire_namespace_refused(text));
        break;
    case WIRE_DECODED_BROKEN:
        buf_append_str(&got, "broken");
        break;
    }
    if (!str_eq((struct str){got.data, got.len}, c->expected)) {
        fail_msg("%s:%d: got %s", c->file, c->line, buf_cstr(&got));
    }
    buf_fini(&got);
    free(copy);
}

static void test_packets(void **state) {
    struct wire_decode_options options = {.connected = true};
    (void)state;
    assert_true(wire_cases_run("socketio", check_packet, &options) > 60);
}

static void test_packets_before_connect(void **state) {
    struct wire_decode_options options = {.connected = false};
    (void)state;
    assert_int_equal(wire_cases_run("socketio-begin", check_packet, &options), 6);
}

static void expect(struct wire_message *m, const char *packets) {
    struct buf got;
    buf_init(&got);
    describe_frames(&got, m);
    assert_string_equal(buf_cstr(&got), packets);
    buf_fini(&got);
}

static const struct wire_ref ACK = {.len = 2, .json = "17"}, CONNECT = {.connect = true};

static void test_messages(void **state) {
    const struct wire_to event = {0}, reply = {.ref = &ACK}, answer = {.ref = &CONNECT};
    (void)state;
    expect(wire_pong(&event, 5), "42[\"session:pong\",{\"serverTime\":5}]");
    expect(wire_pong(&reply, 5), "4317[{\"event\":\"session:pong\",\"data\":{\"serverTime\":5}}] "
                                 "42[\"session:pong\",{\"serverTime\":5}]");
    expect(wire_recovered(&event), "42[\"system:recovered\",{}]");
    expect(wire_welcome(&answer, str_of("s-1"), str_of("u"), str_of("U"), NULL, 0, false, 1, 2, 3,
                        "gw"),
           "40{\"sid\":\"s-1\"} 42[\"welcome\",{\"protocol\":\"wslock.v1\",\"sessionId\":\"s-1\","
           "\"userId\":\"u\",\"username\":\"U\",\"roles\":[],\"admin\":false,\"serverTime\":1,"
           "\"tokenExpiresAt\":2,\"maxMessageBytes\":3,\"instance\":\"gw\"}]");
    expect(wire_error(&answer, WIRE_ERR_TOKEN_INVALID, "a \"bad\" one", "r-1", NULL),
           "44{\"message\":\"a \\\"bad\\\" one\",\"data\":{\"code\":\"TOKEN_INVALID\","
           "\"message\":\"a \\\"bad\\\" one\",\"ref\":\"r-1\"}}");
    expect(wire_error(&reply, WIRE_ERR_INTERNAL, "m", "r-1", NULL),
           "4317[{\"event\":\"error\",\"data\":{\"code\":\"INTERNAL\",\"message\":\"m\",\"ref\":"
           "\"r-1\"}}] 42[\"error\",{\"code\":\"INTERNAL\",\"message\":\"m\",\"ref\":\"r-1\"}]");
}

/* DISCONNECT only where the client must not come back. */
static void test_closes(void **state) {
    const struct wire_to event = {0};
    (void)state;
    for (int close = 0; close < WIRE_CLOSE_COUNT; close++) {
        struct wire_message *m = wire_session_closed(&event, (enum wire_close)close);
        struct frame *second = wire_message_frame(m, WIRE_FRAMING_SOCKETIO, 1);
        assert_int_equal(second == NULL, wire_close_reconnect((enum wire_close)close));
        assert_null(wire_message_frame(m, WIRE_FRAMING_NATIVE, 1));
        if (second != NULL) {
            assert_memory_equal(frame_payload(second), "41", 2);
        }
        wire_message_unref(m);
    }
}

/* One buffer serves all receivers of a framing. */
static void test_shared(void **state) {
    const struct wire_to event = {0};
    struct wire_message *m = wire_recovered(&event);
    struct frame *socketio = wire_message_frame(m, WIRE_FRAMING_SOCKETIO, 0);
    struct frame *native = wire_message_frame(m, WIRE_FRAMING_NATIVE, 0);
    (void)state;
    assert_ptr_not_equal(socketio, native);
    assert_ptr_equal(socketio, wire_message_frame(m, WIRE_FRAMING_SOCKETIO, 0));
    assert_null(wire_message_frame(m, WIRE_FRAMING_SOCKETIO, 1));
    assert_ptr_equal(native, wire_message_frame(m, WIRE_FRAMING_NATIVE, 0));
    wire_message_unref(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),  cmocka_unit_test(test_packets_before_connect),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_closes),
        cmocka_unit_test(test_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
