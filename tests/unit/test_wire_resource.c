#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire_cases.h"
#include "wslock/wire/resource.h"

/* Expected: "type document resource" with | between, or "refused". */
static void check_resource(const struct wire_case *c, void *ctx) {
    bool reject_two_parts = *(bool *)ctx;
    struct wire_resource r;
    struct buf got;

    buf_init(&got);
    if (wire_resource_parse(c->input, reject_two_parts, &r)) {
        assert_int_equal(r.text[r.len], '\0');
        assert_true(str_eq(wire_resource_str(&r), (struct str){r.text, r.len}));
        assert_true(str_eq(wire_resource_type(&r), (struct str){r.text, r.type_len}));
        buf_printf(&got, "%.*s|%.*s|%s", (int)r.type_len, r.text, (int)r.document_len, r.text,
                   r.text);
    } else {
        assert_int_equal(r.len, 0);
        buf_append_str(&got, "refused");
    }
    if (!str_eq((struct str){got.data, got.len}, c->expected)) {
        fail_msg("%s:%d: got %s", c->file, c->line, buf_cstr(&got));
    }
    buf_fini(&got);
}

static void test_resources(void **state) {
    bool reject_two_parts = false;
    (void)state;
    assert_true(wire_cases_run("resources", check_resource, &reject_two_parts) > 20);
}

static void test_resources_reject_two_parts(void **state) {
    bool reject_two_parts = true;
    (void)state;
    assert_true(wire_cases_run("resources-reject", check_resource, &reject_two_parts) > 2);
}

static void test_resource_empty(void **state) {
    struct wire_resource r;
    (void)state;
    assert_false(wire_resource_parse((struct str){NULL, 0}, false, &r));
    assert_false(wire_resource_parse(str_of(""), false, &r));
}

/* A parsed id parses again to itself: what the store holds is stable. */
static void test_resource_idempotent(void **state) {
    struct wire_resource first, second;
    (void)state;
    assert_true(wire_resource_parse(str_of("document:42"), false, &first));
    assert_true(wire_resource_parse(wire_resource_str(&first), true, &second));
    assert_string_equal(first.text, second.text);
    assert_int_equal(first.document_len, second.document_len);
}

static void check_client_id(const struct wire_case *c, void *ctx) {
    (void)ctx;
    if (wire_client_id_valid(c->input) != str_eqz(c->expected, "ok")) {
        fail_msg("%s:%d: must be %.*s", c->file, c->line, (int)c->expected.len, c->expected.p);
    }
}

static void test_client_ids(void **state) {
    (void)state;
    assert_true(wire_cases_run("client-ids", check_client_id, NULL) > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resources),      cmocka_unit_test(test_resources_reject_two_parts),
        cmocka_unit_test(test_resource_empty), cmocka_unit_test(test_resource_idempotent),
        cmocka_unit_test(test_client_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
