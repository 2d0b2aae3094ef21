/* The configuration of --dev, and a file over it. */
#include <fcntl.h>

#include "test_config_util.h"

struct dev {
    char directory[64];
    char state[80]; /* does not exist at first */
    char file[80];
    char key[96];
};

static int setup(void **state) {
    struct dev *d = calloc(1, sizeof *d);

    assert_non_null(d);
    make_directory(d->directory);
    (void)snprintf(d->state, sizeof d->state, "%s/a/b", d->directory);
    (void)snprintf(d->file, sizeof d->file, "%s/over.yaml", d->directory);
    (void)snprintf(d->key, sizeof d->key, "%s/dev-key", d->state);
    *state = d;
    return 0;
}

static int teardown(void **state) {
    struct dev *d = *state;
    char middle[80];

    (void)snprintf(middle, sizeof middle, "%s/a", d->directory);
    unlink(d->key);
    unlink(d->file);
    rmdir(d->state);
    rmdir(middle);
    assert_int_equal(rmdir(d->directory), 0); /* nothing else was left behind */
    free(d);
    return 0;
}

static struct config *load_dev(struct dev *d, const char *over, struct buf *problems) {
    buf_init(problems);
    if (over != NULL) {
        write_file(d->file, over);
    }
    struct config *c = config_load_dev(d->state, over != NULL ? d->file : NULL, gather, problems);
    if (c != NULL && !config_make_dev(d->state, gather, problems)) {
        config_destroy(&c);
    }
    buf_cstr(problems);
    return c;
}

static void test_alone(void **state) {
    struct dev *d = *state;
    struct buf problems, key, again;
    struct config *c = load_dev(d, NULL, &problems);
    struct stat st;

    assert_string_equal(problems.data, "");
    assert_non_null(c);
    assert_true(c->dev);
    assert_string_equal(c->state_dir, d->state);
    assert_string_equal(c->listen[0].address, "127.0.0.1");
    assert_int_equal(c->listen[0].port, 8080);
    assert_true(c->listen[0].plaintext);
    assert_int_equal(c->ops.port, 9464);
    assert_true(c->redis.embedded);
    assert_string_equal(c->instance, "dev");
    assert_int_equal(c->allowed_origins.count, 3);
    assert_string_equal(c->allowed_origins.items[0], "http://127.0.0.1:8080");
    assert_string_equal(c->allowed_origins.items[1], "http://localhost:8080");
    assert_string_equal(c->allowed_origins.items[2], "http://[::1]:8080");
    assert_string_equal(c->auth.keys[0].kid, "dev");
    assert_string_equal(c->auth.keys[0].secret_file, d->key);
    assert_int_equal(c->type_count, 5);
    config_destroy(&c);
    buf_fini(&problems);

    assert_int_equal(stat(d->key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    buf_init(&key);
    buf_init(&again);
    read_whole(d->key, &key);
    assert_int_equal(key.len, 44);
    c = load_dev(d, NULL, &problems);
    assert_non_null(c);
    config_destroy(&c);
    buf_fini(&problems);
    read_whole(d->key, &again);
    assert_string_equal(key.data, again.data); /* made once */
    buf_fini(&key);
    buf_fini(&again);
}

static void test_file_over_it(void **state) {
    struct buf problems;
    struct config *c = load_dev(*state,
                                "listen: [{address: \"::1\", port: 18080, plaintext: true}]\n"
                                "ops: {port: 19464}\n"
                                "redis: {url: \"redis://127.0.0.1:16379\"}\n"
                                "resourceTypes: {document: {lockTtl: 3m}, note: {}}\n",
                                &problems);

    assert_string_equal(problems.data, "");
    assert_non_null(c);
    assert_int_equal(c->listen_count, 1);
    assert_int_equal(c->listen[0].port, 18080);
    assert_string_equal(c->allowed_origins.items[2], "http://[::1]:18080");
    assert_int_equal(c->ops.port, 19464);
    assert_string_equal(c->ops.address, "127.0.0.1");
    assert_non_null(strstr(c->ops.socket, "/a/b/ops.sock"));
    assert_false(c->redis.embedded);
    assert_int_equal(c->redis.port, 16379);
    assert_int_equal(c->type_count, 6);
    assert_int_equal(config_policy_for(c, str_of("document"))->lock_ttl_ms, 180000);
    assert_int_equal(config_policy_for(c, str_of("document"))->max_viewers, 50);
    config_destroy(&c);
    buf_fini(&problems);

    c = load_dev(*state, "allowedOrigins: [\"http://127.0.0.1:5173\"]\nredis: {shards: 2}\n",
                 &problems);
    assert_non_null(c);
    assert_int_equal(c->allowed_origins.count, 1);
    assert_true(c->redis.embedded);
    assert_int_equal(c->redis.shards, 2);
    config_destroy(&c);
    buf_fini(&problems);
}

/* Port 0: what follows the port is right once the port is known. */
static void test_bound_port(void **state) {
    static const char ANY_PORT[] = "listen: [{address: 127.0.0.1, port: 0, plaintext: true}]\n";
    struct buf problems;
    struct config *c = load_dev(*state, ANY_PORT, &problems);

    assert_non_null(c);
    config_bound_port(c, 41234);
    assert_int_equal(c->allowed_origins.count, 3);
    assert_string_equal(c->allowed_origins.items[0], "http://127.0.0.1:41234");
    assert_string_equal(c->allowed_origins.items[2], "http://[::1]:41234");
    assert_string_equal(c->instance, "dev");
    config_destroy(&c);
    buf_fini(&problems);

    c = load_dev(*state, NULL, &problems); /* a port that was given stays */
    assert_non_null(c);
    config_bound_port(c, 41234);
    assert_string_equal(c->allowed_origins.items[1], "http://localhost:8080");
    config_destroy(&c);
    buf_fini(&problems);

    c = load_dev(*state,
                 "listen: [{address: 127.0.0.1, port: 0, plaintext: true}]\n"
                 "allowedOrigins: [\"http://127.0.0.1:5173\"]\n",
                 &problems);
    assert_non_null(c);
    config_bound_port(c, 41234);
    assert_int_equal(c->allowed_origins.count, 1);
    assert_string_equal(c->allowed_origins.items[0], "http://127.0.0.1:5173");
    config_destroy(&c);
    buf_fini(&problems);
}

static void assert_state_dir(const char *given, const char *expected) {
    char *directory = config_state_dir(given);

    assert_string_equal(directory, expected);
    free(directory);
}

static void test_state_dir(void **state) {
    (void)state;
    setenv("HOME", "/home/ann", 1);
    setenv("XDG_STATE_HOME", "/state", 1);
    setenv("STATE_DIRECTORY", "/var/lib/wslockd:/var/lib/other", 1);
    assert_state_dir("given", "given");
    assert_state_dir(NULL, "/var/lib/wslockd");
    setenv("STATE_DIRECTORY", "/var/lib/wslockd", 1);
    assert_state_dir(NULL, "/var/lib/wslockd");
    unsetenv("STATE_DIRECTORY");
    assert_state_dir(NULL, "/state/wslockd");
    setenv("XDG_STATE_HOME", "relative", 1);
    assert_state_dir(NULL, "/home/ann/.local/state/wslockd");
    unsetenv("XDG_STATE_HOME");
    assert_state_dir(NULL, "/home/ann/.local/state/wslockd");
    unsetenv("HOME"); /* then the user database says */
    char *directory = config_state_dir(NULL);
    assert_true(directory[0] == '/');
    assert_non_null(strstr(directory, "/.local/state/wslockd"));
    free(directory);
}

static void test_loopback_only(void **state) {
    struct buf problems;

    assert_null(load_dev(*state,
                         "ops: {address: 0.0.0.0}\n"
                         "listen:\n"
                         "  - {address: 127.0.0.2, port: 1, plaintext: true}\n"
                         "  - {address: 192.0.2.1, port: 1, plaintext: true}\n"
                         "  - {systemdSocket: x, plaintext: true}\n",
                         &problems));
    assert_string_equal(problems.data,
                        "1 ops.address: --dev listens on loopback addresses only\n"
                        "4 listen[1].address: --dev listens on loopback addresses only\n"
                        "5 listen[2].address: --dev listens on loopback addresses only\n");
    buf_fini(&problems);
}

static void test_bad_file(void **state) {
    struct buf problems;

    assert_null(load_dev(*state, "\nlog: {level: loud}\n", &problems));
    assert_string_equal(problems.data,
                        "2 log.level: expected error, warn, info or debug, not \"loud\"\n");
    buf_fini(&problems);
    assert_null(load_dev(*state, "a: [\n", &problems));
    assert_non_null(strstr(problems.data, "not YAML"));
    buf_fini(&problems);
}

/* A key that others may read, or that was cut, is not used. */
static void test_bad_key(void **state) {
    struct dev *d = *state;
    struct buf problems;
    struct config *c = load_dev(d, NULL, &problems);

    assert_non_null(c);
    config_destroy(&c);
    buf_fini(&problems);
    assert_int_equal(chmod(d->key, 0644), 0);
    assert_null(load_dev(d, NULL, &problems));
    assert_non_null(strstr(problems.data, "dev-key: not a signing key"));
    buf_fini(&problems);
    assert_int_equal(chmod(d->key, 0600), 0);
    write_file(d->key, "short");
    assert_null(load_dev(d, NULL, &problems));
    assert_non_null(strstr(problems.data, "dev-key: not a signing key"));
    buf_fini(&problems);
}

/* Only config_make_dev makes anything, and says which directory it could not use. */
static void test_bad_directory(void **state) {
    struct dev *d = *state;
    struct buf problems;
    char expected[128];
    struct config *c = config_load_dev(d->state, NULL, gather, &problems);

    assert_non_null(c);
    config_destroy(&c);
    assert_int_not_equal(access(d->state, F_OK), 0);
    buf_init(&problems);
    assert_false(config_make_dev("/dev/null/x", gather, &problems));
    assert_string_equal(buf_cstr(&problems), "0 : /dev/null/x: Not a directory\n");
    buf_reset(&problems);
    assert_false(config_make_dev("", gather, &problems));
    assert_true(problems.len > 0);
    buf_reset(&problems);
    write_file(d->file, "");
    assert_false(config_make_dev(d->file, gather, &problems));
    (void)snprintf(expected, sizeof expected, "0 : %s: Not a directory\n", d->file);
    assert_string_equal(buf_cstr(&problems), expected);
    buf_fini(&problems);
}

#define DEV_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEV_TEST(test_alone),         DEV_TEST(test_file_over_it),      DEV_TEST(test_bound_port),
        DEV_TEST(test_loopback_only), DEV_TEST(test_bad_file),          DEV_TEST(test_bad_key),
        DEV_TEST(test_bad_directory), cmocka_unit_test(test_state_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
