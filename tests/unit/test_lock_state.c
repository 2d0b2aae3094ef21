/* What the store knows of the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/lock/state.h"

/* A reload that shortens the grace does not shorten how long others are waited for. */
static void the_longest_grace_never_falls(void **state) {
    struct config_policy type = {.type = "doc", .grace_period_ms = 40000};
    struct config config = {
        .default_policy = {.grace_period_ms = 30000}, .types = &type, .type_count = 1};
    struct lock_store store = {.config = &config};

    (void)state;
    assert_int_equal(store_longest_grace_ms(&store), 40000);
    type.grace_period_ms = 1000;
    config.default_policy.grace_period_ms = 500;
    assert_int_equal(store_longest_grace_ms(&store), 40000);
    config.default_policy.grace_period_ms = 50000;
    assert_int_equal(store_longest_grace_ms(&store), 50000);
    config.type_count = 0;
    config.default_policy.grace_period_ms = 500;
    assert_int_equal(store_longest_grace_ms(&store), 50000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_grace_never_falls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
