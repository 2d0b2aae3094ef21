#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <time.h>

#include "wire_cases.h"
#include "wslock/wire/message.h"

#define S(text) ((struct str){text, sizeof(text) - 1})

static const struct wire_ref ref_text = {.len = 3, .json = "\"r\""};
static const struct wire_to event = {0};
static const struct wire_to minimal = {.minimal = true};
static const struct wire_to reply = {.ref = &ref_text};
static const struct wire_ref ref_none = {.len = 0};
static const struct wire_to reply_without_id = {.ref = &ref_none};

static const struct wire_at at = {
    .resource = S("document:1:main"), .rev = 1763953000000007, .server_time_ms = 1763953000000};
static const struct config_policy policy = {
    .type = "document",
    .lock_ttl_ms = 300000,
    .heartbeat_interval_ms = 60000,
    .max_tab_locks = 5,
    .max_viewers = CONFIG_NO_LIMIT,
    .upgrade = CONFIG_UPGRADE_DENY,
    .request_timeout_ms = 120000,
    .claim_window_ms = 30000,
    .disconnect = CONFIG_DISCONNECT_GRACE,
    .grace_period_ms = 30000,
    .takeover = CONFIG_TAKEOVER_REQUEST,
    .takeover_timeout_ms = 30000,
};
static const struct config_policy other_policy = {
    .type = "chart",
    .lock_ttl_ms = 1000,
    .heartbeat_interval_ms = 500,
    .max_tab_locks = CONFIG_NO_LIMIT,
    .max_viewers = 0,
    .upgrade = CONFIG_UPGRADE_QUEUE,
    .requests = true,
    .request_timeout_ms = 1,
    .claim_window_ms = 2,
    .disconnect = CONFIG_DISCONNECT_RELEASE,
    .grace_period_ms = 3,
    .takeover = CONFIG_TAKEOVER_NEVER,
    .takeover_timeout_ms = 4,
};
static const struct config_policy third_policy = {
    .type = "report",
    .upgrade = CONFIG_UPGRADE_REQUEST,
    .disconnect = CONFIG_DISCONNECT_PROMPT,
    .takeover = CONFIG_TAKEOVER_IMMEDIATE,
};

#define ANNA                                                                                       \
    {                                                                                              \
        .user_id = {"u1", 2}, .username = { "Anna B.", 7 }                                         \
    }
static const struct wire_lock lock_free = {.state = "free", .mine = -1};
static const struct wire_lock lock_free_reply = {.state = "free", .mine = 0};
static const struct wire_lock lock_held = {.state = "held",
                                           .person = ANNA,
                                           .since_ms = 100,
                                           .expires_ms = 200,
                                           .dirty = true,
                                           .queue_length = 3,
                                           .mine = -1};
static const struct wire_lock lock_mine = {
    .state = "held", .person = ANNA, .since_ms = 100, .expires_ms = 200, .mine = 1};
static const struct wire_lock lock_grace = {.state = "grace",
                                            .person = ANNA,
                                            .since_ms = 100,
                                            .expires_ms = 200,
                                            .grace_until_ms = 150,
                                            .mine = 0};
static const struct wire_lock lock_reserved = {
    .state = "reserved", .person = ANNA, .reserved_until_ms = 250, .queue_length = 1, .mine = -1};
static const struct wire_lock lock_nameless = {.state = "held",
                                               .person = {.user_id = {"u1", 2}},
                                               .since_ms = 100,
                                               .expires_ms = 200,
                                               .mine = -1};
static const struct wire_user users[] = {
    {.person = ANNA, .has_lock = true, .lock_expires_ms = 200, .connections = 2, .since_ms = 50},
    {.person = {.user_id = {"u2", 2}, .username = {"Ben", 3}}, .connections = 1, .since_ms = 60},
};
static const struct wire_ending ended = {
    .person = ANNA, .reason = "EXPIRED", .dirty = true, .revision = {"r-17", 4}, .ended_ms = 90};
static const struct wire_ending ended_bare = {.person = ANNA, .reason = "RELEASED", .ended_ms = 90};

static struct frame *native(struct wire_message *message) {
    return wire_message_frame(message, WIRE_FRAMING_NATIVE, 0);
}

static struct wire_message *make_welcome(void) {
    static const char *const roles[] = {"doctor", "lock-admin"};
    return wire_welcome(&reply, S("s1"), S("u1"), S("Anna \"B\" \xc3\xa9\xf0\x9f\x98\x80"), roles,
                        2, true, 1, 2, 16384, "gw-1");
}
static struct wire_message *make_welcome_header(void) {
    return wire_welcome(&minimal, S("s1"), S("u1"), S("Anna"), NULL, 0, false, 1, 2, 3, "gw-1");
}
static struct wire_message *make_auth_refreshed(void) {
    return wire_auth_refreshed(&reply, 2, 1);
}
static struct wire_message *make_auth_expiring(void) {
    return wire_auth_expiring(&event, 2, 1);
}
static struct wire_message *make_pong(void) {
    return wire_pong(&reply, 1);
}
static struct wire_message *make_error(void) {
    return wire_error(&reply, WIRE_ERR_UNKNOWN_EVENT, "There is no such event.", "e1", NULL);
}
static struct wire_message *make_error_no_id(void) {
    struct wire_error_extra extra = {0};
    return wire_error(&reply_without_id, WIRE_ERR_INTERNAL, "m", "e1", &extra);
}
static struct wire_message *make_error_field(void) {
    struct wire_error_extra extra = {.resource = S("a:b:c"), .field = "token", .rev = 9};
    return wire_error(&reply, WIRE_ERR_INVALID_ARGUMENT, "m", "e1", &extra);
}
static struct wire_message *make_error_no_rev(void) {
    struct wire_error_extra extra = {.resource = S("a:b:c"), .retry_after_ms = 2000};
    return wire_error(&reply, WIRE_ERR_BACKEND_UNAVAILABLE, "m", "e1", &extra);
}
static struct wire_message *make_error_rate(void) {
    struct wire_error_extra extra = {.retry_after_ms = 50};
    return wire_error(&reply, WIRE_ERR_RATE_LIMITED, "m", "e1", &extra);
}
static struct wire_message *make_error_tabs(void) {
    static const struct str held[] = {{"a:b:c", 5}, {"a:b:d", 5}};
    struct wire_error_extra extra = {
        .resource = S("a:b:e"), .limit = 2, .held = held, .held_count = 2, .rev = 9};
    return wire_error(&event, WIRE_ERR_MAX_TAB_LOCKS_EXCEEDED, "m", "e1", &extra);
}
static struct wire_message *make_error_tabs_none(void) {
    struct wire_error_extra extra = {.resource = S("a:b:e"), .rev = 9};
    return wire_error(&event, WIRE_ERR_MAX_TAB_LOCKS_EXCEEDED, "m", "e1", &extra);
}
static struct wire_message *make_error_viewers(void) {
    struct wire_error_extra extra = {.resource = S("a:b:e"), .rev = 9};
    return wire_error(&reply, WIRE_ERR_MAX_VIEWERS_EXCEEDED, "m", "e1", &extra);
}
static struct wire_message *make_error_rooms(void) {
    struct wire_error_extra extra = {.limit = 64};
    return wire_error(&reply, WIRE_ERR_TOO_MANY_ROOMS, "m", "e1", &extra);
}
static struct wire_message *make_joined(void) {
    return wire_joined(&reply, &at, true, S("tab-0001"), &lock_mine, users, 2, 1, &policy, NULL,
                       NULL);
}
static struct wire_message *make_joined_lost(void) {
    struct wire_lost lost = {.token = 5, .reason = "EXPIRED", .at_ms = 90, .by = S("Ben")};
    return wire_joined(&reply, &at, false, S("tab-0001"), &lock_free_reply, NULL, 0, 0,
                       &other_policy, &lost, NULL);
}
static struct wire_message *make_joined_not_held(void) {
    struct wire_lost lost = {.token = 5, .reason = "NOT_HELD"};
    return wire_joined(&reply, &at, false, S("tab-0001"), &lock_grace, users, 1, 1, &third_policy,
                       &lost, NULL);
}
static struct wire_message *make_joined_minimal(void) {
    struct wire_to to = {.ref = &ref_text, .minimal = true};
    return wire_joined(&to, &at, true, S("tab-0001"), &lock_mine, users, 2, 1, &policy, NULL, NULL);
}
static struct wire_message *make_left(void) {
    return wire_left(&reply, &at);
}
static struct wire_message *make_policy(void) {
    return wire_policy(&event, &at, &policy);
}
static struct wire_message *make_acquired(void) {
    return wire_acquired(&reply, &at, 9007199254740991, 200, &policy, &ended, false, S(""));
}
static struct wire_message *make_acquired_resumed(void) {
    return wire_acquired(&event, &at, 7, 200, &policy, NULL, true, S("h.c.s"));
}
static struct wire_message *make_acquired_minimal(void) {
    return wire_acquired(&minimal, &at, 7, 200, &policy, &ended_bare, false, S(""));
}
static struct wire_message *make_denied(void) {
    return wire_denied(&reply, &at, "HELD", &lock_held, 0, "e1");
}
static struct wire_message *make_denied_minimal(void) {
    return wire_denied(&minimal, &at, "GRACE", &lock_grace, 0, "e1");
}
static struct wire_message *make_denied_nameless(void) {
    return wire_denied(&event, &at, "HELD", &lock_nameless, 0, "e1");
}
static struct wire_message *make_denied_reserved(void) {
    return wire_denied(&reply, &at, "RESERVED", &lock_reserved, 0, "e1");
}
static struct wire_message *make_denied_recovering(void) {
    return wire_denied(&reply, &at, "RECOVERING", NULL, 3000, "e1");
}
static struct wire_message *make_renewed(void) {
    return wire_renewed(&reply, &at, 7, 200, false, S("h.c.s"));
}
static struct wire_message *make_renewed_resumed(void) {
    return wire_renewed(&reply, &at, 7, 200, true, S(""));
}
static struct wire_message *make_released_reply(void) {
    return wire_released_reply(&reply, &at, "RELEASED");
}
static struct wire_message *make_released(void) {
    return wire_released(&event, &at, "GRACE_PERIOD_EXPIRED", S("u1"));
}
static struct wire_message *make_state_free(void) {
    return wire_lock_state(&event, &at, &lock_free, "RELEASED", NULL);
}
static struct wire_message *make_state_held(void) {
    return wire_lock_state(&event, &at, &lock_held, "ACQUIRED", NULL);
}
static struct wire_message *make_state_minimal(void) {
    return wire_lock_state(&minimal, &at, &lock_held, "ACQUIRED", NULL);
}
static struct wire_message *make_state_nameless(void) {
    return wire_lock_state(&event, &at, &lock_nameless, "RENEWED", NULL);
}
static struct wire_message *make_state_reserved(void) {
    return wire_lock_state(&event, &at, &lock_reserved, "RESERVED", NULL);
}
static struct wire_message *make_state_reserved_minimal(void) {
    return wire_lock_state(&minimal, &at, &lock_reserved, "RESERVED", NULL);
}
static struct wire_message *make_state_reply(void) {
    return wire_lock_state(&reply, &at, &lock_grace, NULL, NULL);
}
static struct wire_message *make_lost(void) {
    return wire_lost(&event, &at, 7, "MOVED", S("Anna B."));
}
static struct wire_message *make_lost_reply(void) {
    return wire_lost(&reply, &at, 7, "STALE_TOKEN", (struct str){NULL, 0});
}
static struct wire_message *make_expiring(void) {
    return wire_expiring(&event, &at, 200);
}
static struct wire_message *make_presence_diff(void) {
    static const struct str left[] = {{"u3", 2}, {"u4", 2}};
    return wire_presence_diff(&event, &at, &users[1], 1, left, 2, &users[0], 1, 4);
}
static struct wire_message *make_presence_diff_minimal(void) {
    return wire_presence_diff(&minimal, &at, NULL, 0, NULL, 0, &users[0], 1, 4);
}
static struct wire_message *make_presence_update(void) {
    return wire_presence_update(&event, &at, users, 2, 1);
}
static struct wire_message *make_closed_superseded(void) {
    return wire_session_closed(&event, WIRE_CLOSE_SUPERSEDED);
}
static struct wire_message *make_closed_going_away(void) {
    return wire_session_closed(&event, WIRE_CLOSE_GOING_AWAY);
}
static struct wire_message *make_degraded(void) {
    return wire_degraded(&event, 1763953000000);
}
static struct wire_message *make_degraded_none(void) {
    return wire_degraded(&event, 0);
}
static struct wire_message *make_recovered(void) {
    return wire_recovered(&event);
}
static struct wire_message *make_draining(void) {
    return wire_draining(&event, 4200);
}

static struct {
    const char *name;
    struct wire_message *(*make)(void);
    int checked;
} messages[] = {
    {"welcome", make_welcome, 0},
    {"welcome header", make_welcome_header, 0},
    {"auth refreshed", make_auth_refreshed, 0},
    {"pong", make_pong, 0},
    {"auth expiring", make_auth_expiring, 0},
    {"error", make_error, 0},
    {"error no id", make_error_no_id, 0},
    {"error field", make_error_field, 0},
    {"error no rev", make_error_no_rev, 0},
    {"error rate", make_error_rate, 0},
    {"error tabs", make_error_tabs, 0},
    {"error tabs none", make_error_tabs_none, 0},
    {"error viewers", make_error_viewers, 0},
    {"error rooms", make_error_rooms, 0},
    {"joined", make_joined, 0},
    {"joined lost", make_joined_lost, 0},
    {"joined not held", make_joined_not_held, 0},
    {"joined minimal", make_joined_minimal, 0},
    {"left", make_left, 0},
    {"policy", make_policy, 0},
    {"acquired", make_acquired, 0},
    {"acquired resumed", make_acquired_resumed, 0},
    {"acquired minimal", make_acquired_minimal, 0},
    {"denied", make_denied, 0},
    {"denied minimal", make_denied_minimal, 0},
    {"denied nameless", make_denied_nameless, 0},
    {"denied reserved", make_denied_reserved, 0},
    {"denied recovering", make_denied_recovering, 0},
    {"renewed", make_renewed, 0},
    {"renewed resumed", make_renewed_resumed, 0},
    {"released reply", make_released_reply, 0},
    {"released", make_released, 0},
    {"state free", make_state_free, 0},
    {"state held", make_state_held, 0},
    {"state minimal", make_state_minimal, 0},
    {"state nameless", make_state_nameless, 0},
    {"state reserved", make_state_reserved, 0},
    {"state reserved minimal", make_state_reserved_minimal, 0},
    {"state reply", make_state_reply, 0},
    {"lost", make_lost, 0},
    {"lost reply", make_lost_reply, 0},
    {"expiring", make_expiring, 0},
    {"presence diff", make_presence_diff, 0},
    {"presence diff minimal", make_presence_diff_minimal, 0},
    {"presence update", make_presence_update, 0},
    {"closed superseded", make_closed_superseded, 0},
    {"closed going away", make_closed_going_away, 0},
    {"degraded", make_degraded, 0},
    {"degraded none", make_degraded_none, 0},
    {"recovered", make_recovered, 0},
    {"draining", make_draining, 0},
};

static void check_message(const struct wire_case *c, void *ctx) {
    json_error_t where;
    size_t i = 0;

    (void)ctx;
    while (i < ARRAY_LEN(messages) && !str_eqz(c->input, messages[i].name)) {
        i++;
    }
    if (i == ARRAY_LEN(messages)) {
        fail_msg("%s:%d: no such message", c->file, c->line);
        return;
    }
    messages[i].checked++;

    json_t *expected = json_loadb(c->expected.p, c->expected.len, JSON_REJECT_DUPLICATES, &where);
    if (expected == NULL) {
        fail_msg("%s:%d: expectation is no JSON: %s", c->file, c->line, where.text);
    }
    struct wire_message *message = messages[i].make();
    struct frame *frame = native(message);
    assert_int_equal(frame->refs, 1);
    const char *text = (const char *)frame_payload(frame);
    json_t *got = json_loadb(text, frame->len, JSON_REJECT_DUPLICATES, &where);
    if (got == NULL || !json_equal(got, expected)) {
        fail_msg("%s:%d: got %.*s", c->file, c->line, (int)frame->len, text);
    }
    json_decref(got);
    json_decref(expected);
    wire_message_unref(message);
}

static void test_messages(void **state) {
    (void)state;
    wire_cases_run("messages", check_message, NULL);
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        if (messages[i].checked != 1) {
            fail_msg("%s is checked %d times", messages[i].name, messages[i].checked);
        }
    }
}

/* Two messages exist at once: neither uses the writer's buffer. */
static void test_messages_are_independent(void **state) {
    (void)state;
    struct wire_message *message = wire_draining(&event, 1);
    struct wire_message *other = wire_recovered(&event);
    struct frame *first = native(message);
    static const char text[] = "{\"event\":\"server:draining\",\"data\":{\"reconnectInMs\":1}}";

    assert_int_equal(first->len, sizeof(text) - 1);
    assert_memory_equal(frame_payload(first), text, sizeof(text) - 1);
    wire_message_unref(message);
    wire_message_unref(other);
}

/* The frame of a framing is made once, and outlives the message where a receiver has kept it. */
static void test_a_framing_has_one_frame(void **state) {
    (void)state;
    struct wire_message *message = wire_pong(&reply, 1);
    struct frame *first = frame_ref(native(message));

    assert_ptr_equal(native(wire_message_ref(message)), first);
    assert_int_equal(first->refs, 2);
    wire_message_unref(message);
    assert_int_equal(first->refs, 2);
    wire_message_unref(message);
    assert_int_equal(first->refs, 1);
    frame_unref(first);
    wire_message_unref(NULL);
}

/* What a request's id was is what the reply's id is. */
static void test_ref_round_trip(void **state) {
    static const char *const ids[] = {
        "1",
        "-9223372036854775808",
        "\"x\"",
        "\"\\ud83d\\ude00\"",
        "\"\xf0\x9f\x98\x80\"",
        "\"\\u0000\\u001f\\\"\\\\\\/\"",
        "\"],\\\"data\\\":{}}\"",
    };
    struct wire_decode_options options = {.reject_two_parts = false};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct wire_request r;
        struct wire_decode_error e;
        struct buf text;

        buf_init(&text);
        buf_printf(&text, "{\"event\":\"lock:status\",\"id\":%s,\"data\":{\"resourceId\":\"a:b\"}}",
                   ids[i]);
        assert_true(wire_decode_native(text.data, text.len, &options, &r, &e));
        struct wire_to to = {.ref = &r.ref};
        struct wire_message *message = wire_lock_state(&to, &at, &lock_free_reply, NULL, NULL);
        struct frame *frame = native(message);
        json_t *got =
            json_loadb((const char *)frame_payload(frame), frame->len, JSON_ALLOW_NUL, NULL);
        json_t *id = json_loads(ids[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(id);
        assert_true(json_equal(json_object_get(got, "id"), id));
        json_decref(id);
        json_decref(got);
        wire_message_unref(message);
        wire_request_fini(&r);
        buf_fini(&text);
    }
}

/* Bytes that are no UTF-8 (from wherever) never leave as such. */
static void test_output_is_utf8(void **state) {
    (void)state;
    struct wire_message *message = wire_released(&event, &at, "RELEASED", S("a\xff\xed\xa0\x80z"));
    struct frame *frame = native(message);
    json_t *got = json_loadb((const char *)frame_payload(frame), frame->len, 0, NULL);

    assert_non_null(got);
    assert_true(utf8_valid((const char *)frame_payload(frame), frame->len));
    json_decref(got);
    wire_message_unref(message);
}

static void test_closes(void **state) {
    (void)state;
    for (int i = 0; i < WIRE_CLOSE_COUNT; i++) {
        enum wire_close close = (enum wire_close)i;
        uint16_t code = wire_close_code(close);
        bool reconnect = code == 1001 || code == 4401 || code == 4408 || code == 4429;
        assert_non_null(wire_close_reason(close));
        assert_int_equal(wire_close_reconnect(close), reconnect);
    }
    assert_int_equal(wire_close_code(WIRE_CLOSE_TOO_SLOW), 4408);
    assert_string_equal(wire_close_reason(WIRE_CLOSE_BINARY), "UNSUPPORTED_DATA");
}

static long long measure(struct wire_message *(*make)(void)) {
    struct timespec from, to;
    enum { ROUNDS = 20000 };

    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < ROUNDS; i++) {
        struct wire_message *message = make();
        (void)native(message);
        wire_message_unref(message);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    return ((to.tv_sec - from.tv_sec) * 1000000000LL + (to.tv_nsec - from.tv_nsec)) / ROUNDS;
}

/* Not a check: what encoding costs. */
static void test_report_cost(void **state) {
    (void)state;
    print_message(
        "encode of lock:acquired: %lld ns, lock:state: %lld ns, resource:joined: %lld ns\n",
        measure(make_acquired), measure(make_state_held), measure(make_joined));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_messages_are_independent),
        cmocka_unit_test(test_a_framing_has_one_frame),
        cmocka_unit_test(test_ref_round_trip),
        cmocka_unit_test(test_output_is_utf8),
        cmocka_unit_test(test_closes),
        cmocka_unit_test(test_report_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
