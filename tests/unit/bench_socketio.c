/* The load generator's reading of Socket.IO: text, kind, and of a message its event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../bench/socketio.h"
#include "wslock/base/macros.h"

static const struct {
    const char *text;
    enum socketio_kind kind;
    const char *event;
    bool is_reply;
} CASES[] = {
    {"0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":25000}", SOCKETIO_OPEN, NULL, false},
    {"2", SOCKETIO_PING, NULL, false},
    {"40{\"sid\":\"y\"}", SOCKETIO_CONNECTED, NULL, false},
    {"42[\"lock:state\",{\"rev\":1}]", SOCKETIO_MESSAGE, "lock:state", false},
    {"433[{\"reply\":\"lock:acquired\",\"token\":1}]", SOCKETIO_MESSAGE, "lock:acquired", true},
    {"4312[{\"reply\":\"lock:released\"}]", SOCKETIO_MESSAGE, "lock:released", true},
    {"41", SOCKETIO_UNKNOWN, NULL, false},
    {"44{\"message\":\"AUTH_FAILED\"}", SOCKETIO_UNKNOWN, NULL, false},
    {"42[\"cut", SOCKETIO_UNKNOWN, NULL, false},
    {"433[{\"status\":\"error\"}]", SOCKETIO_UNKNOWN, NULL, false},
    {"433", SOCKETIO_UNKNOWN, NULL, false},
    {"2probe", SOCKETIO_UNKNOWN, NULL, false},
    {"", SOCKETIO_UNKNOWN, NULL, false},
};

static void test_each_kind(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct socketio_message m = {0};
        enum socketio_kind kind = socketio_parse(CASES[i].text, strlen(CASES[i].text), &m);
        print_message("%s\n", CASES[i].text);
        assert_int_equal(kind, CASES[i].kind);
        if (kind != SOCKETIO_MESSAGE) {
            continue;
        }
        assert_int_equal(m.event_len, strlen(CASES[i].event));
        assert_memory_equal(m.event, CASES[i].event, m.event_len);
        assert_int_equal(m.is_reply, CASES[i].is_reply);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_kind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
