/* Which servers will do, by what they answer to INFO. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wslock/redis/version.h"

#define REDIS(version)                                                                             \
    "# Server\r\nredis_version:" version "\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\n"    \
    "redis_build_id:e5c8a2a5d8cf4bd7\r\nredis_mode:standalone\r\nos:Linux 6.1.0 x86_64\r\n"
#define VALKEY(version)                                                                            \
    "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:" version             \
    "\r\nvalkey_release_stage:ga\r\nredis_git_sha1:00000000\r\nserver_mode:standalone\r\n"

static const struct {
    const char *info, *problem; /* NULL: it fits */
} CASES[] = {
    {REDIS("7.0.0"), NULL},
    {REDIS("7.0.15"), NULL},
    {REDIS("7.4.2"), NULL},
    {REDIS("8.0.1"), NULL},
    {REDIS("10.0.0"), NULL},
    {REDIS("255.255.255"), NULL}, /* built from the main branch */
    {REDIS("6.2.14"), "the server is Redis 6.2.14, this program needs Redis 7.0 or later"},
    {REDIS("6.0.16"), "the server is Redis 6.0.16, this program needs Redis 7.0 or later"},
    {REDIS("5.0.14"), "the server is Redis 5.0.14, this program needs Redis 7.0 or later"},
    {VALKEY("7.2.4"), NULL},
    {VALKEY("7.2.11"), NULL},
    {VALKEY("8.1.1"), NULL},
    {VALKEY("9.0.0"), NULL},
    {VALKEY("7.1.0"), "the server is Valkey 7.1.0, this program needs Valkey 7.2 or later"},
    {"redis_version:7.0.15", NULL},
    {"redis_version:6.2.14", "the server is Redis 6.2.14, this program needs Redis 7.0 or later"},
    {"redis_version:7", NULL},
    {"redis_version:", "the server is Redis , this program needs Redis 7.0 or later"},
    {"redis_version:x\r\n", "the server is Redis x, this program needs Redis 7.0 or later"},
    {"", "the server does not say which version of Redis or Valkey it is"},
    {"# Server\r\nold_redis_version:7.0.15\r\n",
     "the server does not say which version of Redis or Valkey it is"},
    {"redis_version:6.2.123456789012345678901234567890\r\n",
     "the server is Redis 6.2.1234567890123456789, this program needs Redis 7.0 or later"},
};

static void the_oldest_that_will_do(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char problem[160] = "";
        bool fits = redis_version_fits(str_of(CASES[i].info), problem, sizeof problem);

        assert_int_equal(fits, CASES[i].problem == NULL);
        assert_string_equal(problem, CASES[i].problem ? CASES[i].problem : "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_oldest_that_will_do)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
