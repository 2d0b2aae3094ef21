/* redis.url, passwords in files, variables and credentials. */
#include "test_config_util.h"

#ifdef WSLOCK_REDIS_TLS
static const char TLS_PROBLEM[] = "";
#else
static const char TLS_PROBLEM[] =
    "3 redis.url: this build has no TLS to Redis: it needs hiredis 1.0 "
    "or later with TLS\n";
#endif

struct place {
    const char *url;
    const char *host;
    int port;
    const char *unix_path, *username, *password;
    int database;
};

static const struct place PLACES[] = {
    {"redis://h", "h", 6379, NULL, NULL, NULL, 0},
    {"redis://h/", "h", 6379, NULL, NULL, NULL, 0},
    {"redis://h:1/3", "h", 1, NULL, NULL, NULL, 3},
    {"redis://[::1]:6380", "::1", 6380, NULL, NULL, NULL, 0},
    {"redis://[2001:db8::1]", "2001:db8::1", 6379, NULL, NULL, NULL, 0},
    {"redis://user:pass@redis.example.org:7/15", "redis.example.org", 7, NULL, "user", "pass", 15},
    {"redis://:p%40ss%2f%3A@h", "h", 6379, NULL, NULL, "p@ss/:", 0},
    {"redis://u%20x:a:b@h", "h", 6379, NULL, "u x", "a:b", 0},
    {"unix:/run/redis.sock", NULL, 0, "/run/redis.sock", NULL, NULL, 0},
    {"unix:///run/redis.sock", NULL, 0, "/run/redis.sock", NULL, NULL, 0},
    {"unix:/r?db=2", NULL, 0, "/r", NULL, NULL, 2},
};

static void same(const char *a, const char *b) {
    if (a != NULL && b != NULL) {
        assert_string_equal(a, b);
    } else {
        assert_ptr_equal(a, b);
    }
}

static struct config *load_url(const char *url) {
    char text[512];

    (void)snprintf(text, sizeof text, LISTEN KEYS "redis: {url: \"%s\"}\n", url);
    return load_good(text);
}

static void test_urls(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(PLACES); i++) {
        const struct place *p = &PLACES[i];
        struct config *c = load_url(p->url);

        same(c->redis.host, p->host);
        same(c->redis.unix_path, p->unix_path);
        same(c->redis.username, p->username);
        same(c->redis.password, p->password);
        assert_int_equal(c->redis.port, p->port);
        assert_int_equal(c->redis.database, p->database);
        assert_false(c->redis.use_tls);
        config_destroy(&c);
    }
}

static void test_tls_needs_hiredis(void **state) {
    struct buf problems;
    struct config *c = load(LISTEN KEYS "redis: {url: \"rediss://h\"}\n", &problems);

    (void)state;
    assert_string_equal(problems.data, TLS_PROBLEM);
    assert_true(TLS_PROBLEM[0] == '\0' ? c && c->redis.use_tls : !c);
    config_destroy(&c);
    buf_fini(&problems);
}

static void test_other_ways(void **state) {
    struct config *c = load_good(LISTEN KEYS "redis: {embedded: true}\n");

    (void)state;
    assert_true(c->redis.embedded);
    assert_null(c->redis.host);
    config_destroy(&c);
    c = load_good(LISTEN KEYS "redis: {sentinel: {master: m, nodes: [\"a:1\", \"[::1]:2\"]}}\n");
    assert_string_equal(c->redis.sentinel_master, "m");
    assert_int_equal(c->redis.sentinel_nodes.count, 2);
    assert_null(c->redis.host);
    config_destroy(&c);
    c = load_good(LISTEN KEYS "redis: {cluster: {nodes: [\"a:1\"]}, embedded: false, url: null}\n");
    assert_int_equal(c->redis.cluster_nodes.count, 1);
    config_destroy(&c);
}

/* The password in a file, whatever ends its line, and what is no password. */
static void test_password_files(void **state) {
    static const struct {
        const char *content, *password, *problem;
    } FILES[] = {
        {"secret", "secret", NULL},
        {"secret\n", "secret", NULL},
        {"se cret\r\n", "se cret", NULL},
        {"", NULL, "expected one line with the password"},
        {"\n", NULL, "expected one line with the password"},
        {"a\nb\n", NULL, "expected one line with the password"},
    };
    char directory[64], path[96], text[512];

    (void)state;
    make_directory(directory);
    (void)snprintf(path, sizeof path, "%s/password", directory);
    (void)snprintf(text, sizeof text,
                   LISTEN KEYS "redis:\n"
                               "  sentinel: {master: m, nodes: [\"a:1\"], passwordFile: %s}\n"
                               "  passwordFile: %s\n",
                   path, path);
    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        struct buf problems;
        struct config *c;

        write_file(path, FILES[i].content);
        c = load(text, &problems);
        assert_true(!c == !FILES[i].password);
        if (c != NULL && FILES[i].password != NULL) {
            assert_string_equal(c->redis.password, FILES[i].password);
            assert_string_equal(c->redis.sentinel_password, FILES[i].password);
        } else if (FILES[i].problem != NULL) {
            assert_non_null(strstr(problems.data, FILES[i].problem));
            assert_non_null(strstr(problems.data, "5 redis.passwordFile: "));
        }
        config_destroy(&c);
        buf_fini(&problems);
    }
    unlink(path);
    rmdir(directory);
}

static void test_long_password_file(void **state) {
    char directory[64], path[96], text[512], content[5000];
    struct buf problems;

    (void)state;
    make_directory(directory);
    (void)snprintf(path, sizeof path, "%s/password", directory);
    (void)snprintf(text, sizeof text, LISTEN KEYS "redis: {passwordFile: %s}\n", path);
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 1] = '\0';
    write_file(path, content);
    assert_null(load(text, &problems));
    assert_non_null(strstr(problems.data, "the file is too large"));
    buf_fini(&problems);
    unlink(path);
    rmdir(directory);
}

static void test_variables(void **state) {
    struct config *c;

    (void)state;
    setenv("WSLOCK_TEST_PORT", "4711", 1);
    setenv("WSLOCK_TEST_NAME", "gw", 1);
    c = load_good(LISTEN KEYS "ops: {port: \"${WSLOCK_TEST_PORT}\"}\n"
                              "instance: ${WSLOCK_TEST_NAME}-${WSLOCK_TEST_PORT}\n"
                              "drainTimeout: ${WSLOCK_TEST_PORT}ms\n"
                              "audit: {file: \"/var/$${X}/$x\"}\n");
    assert_int_equal(c->ops.port, 4711);
    assert_string_equal(c->instance, "gw-4711");
    assert_int_equal(c->drain_timeout_ms, 4711);
    assert_string_equal(c->audit.file, "/var/${X}/$x");
    config_destroy(&c);
    unsetenv("WSLOCK_TEST_PORT");
    unsetenv("WSLOCK_TEST_NAME");
}

/* A variable never makes a value null, which would switch a check or a limit off. */
static void test_null_variables(void **state) {
    static const struct {
        const char *text, *key;
    } rows[] = {
        {LISTEN "auth: {issuer: \"${V}\", jwks: {file: /j}}\n", "2 auth.issuer"},
        {LISTEN "auth: {audience: \"${V}\", jwks: {file: /j}}\n", "2 auth.audience"},
        {LISTEN "auth: {audience: [\"${V}\"], jwks: {file: /j}}\n", "2 auth.audience[0]"},
        {LISTEN "auth: {cookie: \"${V}${V2}\", jwks: {file: /j}}\n", "2 auth.cookie"},
        {LISTEN KEYS "default: {editorRoles: '${V}'}\n", "3 default.editorRoles"},
        {LISTEN KEYS "default: {maxConcurrentTabLocksPerUser: '${V}'}\n",
         "3 default.maxConcurrentTabLocksPerUser"},
        {LISTEN KEYS "resourceTypes:\n  a: ${V}\n", "4 resourceTypes.a"},
        {LISTEN KEYS "audit: {hmacKeyFile: '${V}'}\n", "3 audit.hmacKeyFile"},
        {LISTEN KEYS "redis: {passwordFile: '${V}'}\n", "3 redis.passwordFile"},
        {LISTEN KEYS "ops: {tokenFile: '${V}'}\n", "3 ops.tokenFile"},
        {LISTEN KEYS "ops: ${V}\n", "3 ops"},
        {LISTEN KEYS "tickets: {signingKeyFile: '${V}'}\n", "3 tickets.signingKeyFile"},
    };
    static const char *const values[] = {"", "~", "null", "Null", "NULL"};

    (void)state;
    setenv("V2", "", 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t j = 0; j < ARRAY_LEN(values); j++) {
            struct buf problems;
            char expected[160];

            setenv("V", values[j], 1);
            (void)snprintf(expected, sizeof expected, "%s: ${V}%s is %s, and only a null in the ",
                           rows[i].key, strstr(rows[i].text, "V2") ? "${V2}" : "",
                           j == 0 ? "empty" : "null");
            assert_null(load(rows[i].text, &problems));
            if (strncmp(problems.data, expected, strlen(expected)) != 0 ||
                problems.len != strcspn(problems.data, "\n") + 1) {
                fail_msg("%s: %s", expected, problems.data);
            }
            buf_fini(&problems);
        }
    }
    unsetenv("V");
    unsetenv("V2");
}

/* A variable cannot make lines, nor grow without bound. */
static void test_hostile_variables(void **state) {
    char *big = malloc(70001);
    struct buf problems;

    (void)state;
    assert_non_null(big);
    memset(big, 'x', 70000);
    big[70000] = '\0';
    setenv("WSLOCK_TEST_BIG", big, 1);
    free(big);
    setenv("WSLOCK_TEST_LINES", "a\nops: null", 1);
    setenv("WSLOCK_TEST_BYTES", "a\xff", 1);
    assert_null(load(LISTEN KEYS "instance: ${WSLOCK_TEST_BIG}\n", &problems));
    assert_non_null(strstr(problems.data, "3 instance: not UTF-8, or longer than 65536 bytes"));
    buf_fini(&problems);
    assert_null(load(LISTEN KEYS "instance: ${WSLOCK_TEST_LINES}\n", &problems));
    assert_non_null(strstr(problems.data, "WSLOCK_TEST_LINES holds a control character"));
    buf_fini(&problems);
    assert_null(load(LISTEN KEYS "instance: ${WSLOCK_TEST_BYTES}\n", &problems));
    assert_non_null(strstr(problems.data, "3 instance: not UTF-8"));
    buf_fini(&problems);
    unsetenv("WSLOCK_TEST_BIG");
    unsetenv("WSLOCK_TEST_LINES");
    unsetenv("WSLOCK_TEST_BYTES");
}

static void test_credentials(void **state) {
    struct config *c;
    char directory[64], path[96];

    (void)state;
    make_directory(directory);
    (void)snprintf(path, sizeof path, "%s/redis", directory);
    write_file(path, "from systemd\n");
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    c = load_good("listen: [{address: 127.0.0.1, port: 1,\n"
                  "  tls: {certificate: /c, key: \"credential:tls\"}}]\n" KEYS
                  "redis: {passwordFile: \"credential:redis\"}\n");
    assert_string_equal(c->redis.password, "from systemd");
    assert_memory_equal(c->listen[0].tls_key_file, directory, strlen(directory));
    assert_string_equal(c->listen[0].tls_key_file + strlen(directory), "/tls");
    config_destroy(&c);
    unsetenv("CREDENTIALS_DIRECTORY");
    unlink(path);
    rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_tls_needs_hiredis),
        cmocka_unit_test(test_other_ways),
        cmocka_unit_test(test_password_files),
        cmocka_unit_test(test_long_password_file),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_null_variables),
        cmocka_unit_test(test_hostile_variables),
        cmocka_unit_test(test_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
