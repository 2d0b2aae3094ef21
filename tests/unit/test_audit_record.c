/* A record's line: fields and their order, what is left out, what is cut. */
#include "test_audit_support.h"

#include <jansson.h>
#include <openssl/sha.h>

#include "wslock/base/clock.h"

static int64_t fixed_wall_us(void) {
    return INT64_C(1763958960000042);
}
static uint64_t fixed_boot_us(void) {
    return 1000000;
}
static const struct clock_source fixed_clock = {fixed_boot_us, fixed_wall_us};

/* The line number `index` (from 0) of the file, to be freed. */
static char *line_of(const char *path, int index) {
    char *data = read_file(path, NULL);
    char *at = data;
    for (int i = 0; i < index; i++) {
        at = strchr(at, '\n');
        assert_non_null(at);
        at++;
    }
    char *end = strchr(at, '\n');
    assert_non_null(end);
    char *line = strndup(at, (size_t)(end - at));
    free(data);
    return line;
}

/* Writes r as the record with seq 2 and gives its line, to be freed. */
static char *line_for(struct fixture *f, const struct audit_record *r) {
    clock_set_source(&fixed_clock);
    struct audit *a = open_audit(f);
    assert_int_equal(audit_write(a, r), 2);
    close_audit(f, &a);
    clock_set_source(NULL);
    return line_of(f->file, 1);
}

static void every_field_in_order(void **state) {
    static const char *const roles[] = {"nurse", "lock-admin"};
    const struct audit_record r = {
        .action = AUDIT_LOCK_TAKEOVER,
        .resource_id = str_of("document:1:body"),
        .user = {str_of("u1"), str_of("Ada \"A\"")},
        .roles = roles,
        .role_count = 2,
        .previous_holder = {str_of("u2"), str_of("Ben")},
        .admin = {str_of("u3"), str_of("Cy")},
        .reason = str_of("ward round"),
        .fence = INT64_C(1763953000000001),
        .rev = INT64_C(1763953000000002),
        .held_ms = 0,
        .decision = str_of("APPROVED"),
        .previous_dirty = 0,
        .revision = str_of("r9"),
        .session_id = str_of("s"),
        .client_id = str_of("c"),
        .token_id = str_of("t"),
        .issuer = str_of("i"),
        .address = str_of("192.0.2.1"),
        .user_agent = str_of("a/1"),
        .lock_request_id = str_of("q"),
        .ref = str_of("f"),
        .detail = str_of("d"),
        .event_id = str_of("5-0"),
        .recovered = true,
    };
    static const char expected[] =
        "{\"time\":\"2025-11-24T04:36:00.000042Z\",\"action\":\"LOCK_TAKEOVER\","
        "\"outcome\":\"success\",\"resourceId\":\"document:1:body\","
        "\"user\":{\"id\":\"u1\",\"name\":\"Ada \\\"A\\\"\",\"roles\":[\"nurse\",\"lock-admin\"]},"
        "\"previousHolder\":{\"id\":\"u2\",\"name\":\"Ben\"},"
        "\"admin\":{\"id\":\"u3\",\"name\":\"Cy\"},\"reason\":\"ward round\","
        "\"fence\":1763953000000001,\"rev\":1763953000000002,\"heldMs\":0,"
        "\"decision\":\"APPROVED\",\"previousDirty\":false,\"revision\":\"r9\","
        "\"sessionId\":\"s\",\"clientId\":\"c\",\"tokenId\":\"t\",\"issuer\":\"i\","
        "\"address\":\"192.0.2.1\",\"userAgent\":\"a/1\",\"lockRequestId\":\"q\",\"ref\":\"f\","
        "\"detail\":\"d\",\"instance\":\"gw-1\",\"eventId\":\"5-0\",\"recovered\":true,"
        "\"v\":1,\"seq\":2,\"prev\":\"";
    char *line = line_for(*state, &r);
    assert_int_equal(strncmp(line, expected, strlen(expected)), 0);
    free(line);
}

static void absent_fields_are_left_out(void **state) {
    const struct audit_record r = {
        .action = AUDIT_STORE_LOST, .failure = true, .held_ms = -1, .previous_dirty = -1};
    static const char expected[] =
        "{\"time\":\"2025-11-24T04:36:00.000042Z\",\"action\":\"STORE_LOST\","
        "\"outcome\":\"failure\",\"instance\":\"gw-1\",\"v\":1,\"seq\":2,\"prev\":\"";
    char *line = line_for(*state, &r);
    assert_int_equal(strncmp(line, expected, strlen(expected)), 0);
    free(line);
}

/* The rule of the hash, by other code than the log's own. */
static void hash_is_over_the_bytes_before_it(void **state) {
    const struct audit_record r = plain_record();
    char *line = line_for(*state, &r);
    const char *comma = strstr(line, ",\"hash\":\"");
    assert_non_null(comma);
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)line, (size_t)(comma - line), digest);
    char expected[80] = ",\"hash\":\"";
    for (size_t i = 0; i < sizeof digest; i++) {
        (void)snprintf(expected + 9 + 2 * i, 3, "%02x", digest[i]);
    }
    strcat(expected, "\"}");
    assert_string_equal(comma, expected);
    free(line);
}

/* The worst that could come: every value long and each byte escaped to six. */
static void lines_are_bounded(void **state) {
    struct fixture *f = *state;
    static char control[8192];
    static char euros[8192];
    memset(control, 1, sizeof control);
    control[sizeof control - 1] = '\0';
    for (size_t i = 0; i + 3 < sizeof euros; i += 3) {
        memcpy(euros + i, "\xE2\x82\xAC", 3);
    }
    const struct str c = str_of(control);
    const char *roles[200];
    for (size_t i = 0; i < 200; i++) {
        roles[i] = control;
    }
    const struct audit_record worst = {
        .action = AUDIT_LOCK_TAKEOVER,
        .resource_id = c,
        .user = {c, c},
        .roles = roles,
        .role_count = 200,
        .previous_holder = {c, c},
        .admin = {c, c},
        .reason = c,
        .decision = c,
        .revision = c,
        .session_id = c,
        .client_id = c,
        .token_id = c,
        .issuer = c,
        .address = c,
        .user_agent = c,
        .lock_request_id = c,
        .ref = c,
        .detail = c,
        .event_id = c,
    };
    char *line = line_for(f, &worst);
    assert_true(strlen(line) < 64 * 1024);
    json_t *json = json_loads(line, JSON_ALLOW_NUL, NULL);
    assert_non_null(json);
    json_decref(json);
    free(line);
    assert_whole(f->file, NULL);

    /* One long value alone is cut between code points, and says so. */
    struct audit_record r = plain_record();
    r.detail = str_of(euros);
    struct audit *a = open_audit(f);
    (void)audit_write(a, &r);
    close_audit(f, &a);
    line = line_of(f->file, 4);
    json = json_loads(line, 0, NULL);
    assert_non_null(json);
    const char *detail = json_string_value(json_object_get(json, "detail"));
    assert_non_null(detail);
    assert_true(strlen(detail) < 2100);
    assert_string_equal(detail + strlen(detail) - 6, "\xE2\x82\xAC\xE2\x80\xA6");
    assert_null(strstr(detail, "\xEF\xBF\xBD"));
    json_decref(json);
    free(line);
}

static void invalid_utf8_stays_json(void **state) {
    struct fixture *f = *state;
    struct audit_record r = plain_record();
    r.user_agent = str_of("bad\xFF\n\"agent\"");
    char *line = line_for(f, &r);
    json_t *json = json_loads(line, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "userAgent")),
                        "bad\xEF\xBF\xBD\n\"agent\"");
    json_decref(json);
    free(line);
    assert_whole(f->file, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_field_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(absent_fields_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(hash_is_over_the_bytes_before_it, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(invalid_utf8_stays_json, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
