/* What config_print writes loads again as the same, shows no secret; what a reload may change. */
#include "test_config_util.h"

static const char *const DOCUMENTS[] = {
    LISTEN KEYS,
    LISTEN KEYS "ops: null\nredis: {embedded: true, lease: 5s}\n",
    LISTEN KEYS "redis: {sentinel: {master: m, nodes: [\"a:1\", \"b:2\"]}, keyPrefix: x}\n",
    LISTEN KEYS "redis: {cluster: {nodes: [\"a:1\", \"[::1]:2\"]}}\n",
    LISTEN KEYS "redis: {url: \"unix:/run/a b.sock?db=3\"}\n",
    LISTEN KEYS "instance: a\nresourceTypes: {null: {lockTtl: 10m}, true: {editorRoles: [a]}}\n",
    LISTEN KEYS "audit: {file: 'q\"b\\s$${NAME}ü'}\nlimits: {maxMessageBytes: 2000}\n",
    "listen:\n"
    "  - {address: \"::\", port: 1, tls: {certificate: /c, key: /k}, trustedProxies: [10.0.0.1]}\n"
    "  - {systemdSocket: s, plaintext: true}\n"
    "auth:\n"
    "  jwks: {url: \"https://i.example.org/c\"}\n"
    "  audience: [a, b]\n"
    "  algorithms: [HS256, ES256]\n"
    "  keys: [{alg: HS256, secretFile: /s}, {kid: k, alg: ES256, publicKeyFile: /p}]\n",
};

static void print(const struct config *c, struct buf *out) {
    buf_init(out);
    config_print(c, out);
    buf_cstr(out);
}

static void test_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(DOCUMENTS); i++) {
        struct config *c = load_good(DOCUMENTS[i]), *again;
        struct buf first, second;

        print(c, &first);
        again = load_good(first.data);
        print(again, &second);
        assert_string_equal(first.data, second.data);
        buf_fini(&first);
        buf_fini(&second);
        config_destroy(&again);
        config_destroy(&c);
    }
}

/* What YAML would fold, refuse or take for something else. */
static void test_every_character(void **state) {
    static const char odd[] =
        "\"\\u0080\\u0085\\u009f\\u00a0\\u2028\\u2029\\ud7ff\\ufeff\\ufffe\\uffff"
        "\\U0001ffff\\U0010ffff \\\\ ' \\\" # - \"";
    struct config *c, *again;
    char text[512];
    struct buf out;

    (void)state;
    (void)snprintf(text, sizeof text, LISTEN KEYS "default: {editorRoles: [%s]}\n", odd);
    c = load_good(text);
    print(c, &out);
    assert_null(strstr(out.data, "\xe2\x80\xa8"));
    again = load_good(out.data);
    assert_string_equal(again->default_policy.editor_roles.items[0],
                        c->default_policy.editor_roles.items[0]);
    buf_fini(&out);
    config_destroy(&again);
    config_destroy(&c);
}

static void test_masking(void **state) {
    static const struct {
        const char *url, *printed;
    } URLS[] = {
        {"redis://u:hunter2@h:1/2", "url: \"redis://u:***@h:1/2\"\n"},
        {"redis://:hunter2@h", "url: \"redis://:***@h\"\n"},
        {"redis://:hunter2:hunter2@h", "url: \"redis://:***@h\"\n"},
        {"redis://:a@hunter2@h", "url: \"redis://:***@h\"\n"},
        {"redis://h/1", "url: \"redis://h/1\"\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(URLS); i++) {
        char text[512];
        struct config *c, *again;
        struct buf out;

        (void)snprintf(text, sizeof text, LISTEN KEYS "redis: {url: \"%s\"}\n", URLS[i].url);
        c = load_good(text);
        print(c, &out);
        assert_non_null(strstr(out.data, URLS[i].printed));
        assert_null(strstr(out.data, "hunter2"));
        again = load_good(out.data);
        assert_string_equal(again->redis.host, c->redis.host);
        config_destroy(&again);
        config_destroy(&c);
        buf_fini(&out);
    }
}

/* A password from a file stands nowhere, its file's name does. */
static void test_password_file_is_printed_by_name(void **state) {
    char directory[64], path[96], text[512];
    struct config *c;
    struct buf out;

    (void)state;
    make_directory(directory);
    (void)snprintf(path, sizeof path, "%s/password", directory);
    write_file(path, "hunter2\n");
    (void)snprintf(text, sizeof text, LISTEN KEYS "redis: {passwordFile: %s}\n", path);
    c = load_good(text);
    print(c, &out);
    assert_null(strstr(out.data, "hunter2"));
    assert_non_null(strstr(out.data, path));
    buf_fini(&out);
    config_destroy(&c);
    unlink(path);
    rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_masking),
        cmocka_unit_test(test_password_file_is_printed_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
