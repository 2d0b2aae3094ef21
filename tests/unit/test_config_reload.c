/* A reload of the configuration: what it may change, and the handles of the types' policies. */
#include "test_config_util.h"

struct change {
    const char *before, *after; /* behind LISTEN and KEYS */
    const char *problem;        /* "LINE KEY" of each key that needs a restart; "": none */
};

#define OTHER_LISTEN(more) "listen: [{address: 127.0.0.1, port: 0, plaintext: true" more "}]\n"

static const struct change CHANGES[] = {
    /* another value of a key that only a restart changes */
    {"", "instance: b\n", "3 instance"},
    {"", "ops: {port: 1}\n", "3 ops.port"},
    {"", "ops: null\n", "3 ops"},
    {"", "paths: {native: /other}\n", "3 paths.native"},
    {"", "redis: {url: \"redis://127.0.0.1:6379/1\"}\n", "3 redis.url"},
    {"", "redis: {shards: 8}\n", "3 redis.shards"},
    {"", "redis: {embedded: true}\n", "3 redis.embedded"},
    {"", "redis: {commandTimeout: 1s, lease: 9s}\n", "3 redis.commandTimeout"},
    {"", "audit: {file: /elsewhere}\n", "3 audit.file"},
    {"", "audit: {file: \"-\"}\n", "3 audit.file: its directory changes only with a restart"},
    {"audit: {file: a/b}\n", "audit: {file: b}\n", "3 audit.file"},
    {"audit: {file: \"-\"}\n", "audit: {file: b}\n", "3 audit.file"},
    /* what a reload changes */
    {"", "", ""},
    {"", "drainTimeout: 1s\n", ""},
    {"", "allowedOrigins: [\"https://a.org\"]\n", ""},
    {"allowedOrigins: [\"https://a.org\", \"https://b.org\"]\n", "", ""},
    {"", "limits: {maxConnections: 7, maxMessageBytes: 5000, messageBurst: 9}\n", ""},
    {"", "default: {lockTtl: 4m, editorRoles: [a]}\n", ""},
    {"resourceTypes: {a: {lockTtl: 4m}, b: {}}\n", "resourceTypes: {c: {}}\n", ""},
    {"", "unknownResourceTypes: reject\n", ""},
    {"", "log: {level: debug, format: json}\n", ""},
    {"", "audit: {file: /var/log/wslockd/other, fsync: none, hmacKeyFile: /k, checkpoint: 1m}\n",
     ""},
    {"audit: {file: a}\n", "audit: {file: b}\n", ""},
    {"audit: {file: \"-\"}\n", "audit: {file: \"-\"}\n", ""},
    {"", "audit: {freeText: omit, onFailure: stop-all}\n", ""},
    {"", "tickets: {signingKeyFile: /k}\n", ""},
};

static char *text_of(const char *rest) {
    static char text[2][1024];
    static unsigned turn;

    turn ^= 1;
    (void)snprintf(text[turn], sizeof text[turn], LISTEN KEYS "%s", rest);
    return text[turn];
}

static char *printed(const struct config *c) {
    struct buf out;
    char *text;

    buf_init(&out);
    config_print(c, &out);
    text = strdup(buf_cstr(&out));
    buf_fini(&out);
    return text;
}

static void test_changes(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CHANGES); i++) {
        struct config *current = load_good(text_of(CHANGES[i].before));
        struct config *next = load_good(text_of(CHANGES[i].after));
        char *before = printed(current), *after = printed(next);
        struct buf problems;

        buf_init(&problems);
        assert_int_equal(config_may_reload(current, next, gather, &problems),
                         *CHANGES[i].problem == '\0');
        assert_non_null(strstr(buf_cstr(&problems), CHANGES[i].problem));
        if (*CHANGES[i].problem == '\0') {
            char *now;
            assert_int_equal(problems.len, 0);
            config_exchange(current, next);
            now = printed(current);
            assert_string_equal(now, after);
            free(now);
            now = printed(next);
            assert_string_equal(now, before);
            free(now);
        }
        buf_fini(&problems);
        free(before);
        free(after);
        config_destroy(&current);
        config_destroy(&next);
    }
}

/* Every key that needs a restart is named, those of a listener by its number. */
static void test_all_are_named(void **state) {
    struct config *current = load_good(LISTEN KEYS);
    struct config *next =
        load_good("listen: [{address: \"::1\", port: 1, plaintext: true, "
                  "trustedProxies: [10.0.0.0/8]}]\n" KEYS "instance: b\nredis: {shards: 4}\n");
    struct buf problems;

    (void)state;
    buf_init(&problems);
    assert_false(config_may_reload(current, next, gather, &problems));
    assert_string_equal(buf_cstr(&problems), "1 listen[0].address: changes only with a restart\n"
                                             "1 listen[0].port: changes only with a restart\n"
                                             "3 instance: changes only with a restart\n"
                                             "4 redis.shards: changes only with a restart\n");
    buf_fini(&problems);
    config_destroy(&current);
    config_destroy(&next);
}

/* Values of one listener change, its address stays the same string. */
static void test_listener(void **state) {
    struct config *current = load_good(LISTEN KEYS);
    struct config *next = load_good(OTHER_LISTEN(", trustedProxies: [10.0.0.0/8]") KEYS);
    const char *address = current->listen[0].address;

    (void)state;
    assert_true(config_may_reload(current, next, gather, NULL));
    config_exchange(current, next);
    config_destroy(&next);
    assert_ptr_equal(current->listen[0].address, address);
    assert_int_equal(current->listen[0].trusted_proxies.count, 1);
    assert_string_equal(current->listen[0].trusted_proxies.items[0], "10.0.0.0/8");
    next = load_good(OTHER_LISTEN("}, {address: 127.0.0.2, port: 0, plaintext: true") KEYS);
    struct buf problems;
    buf_init(&problems);
    assert_false(config_may_reload(current, next, gather, &problems));
    assert_string_equal(buf_cstr(&problems), "1 listen: changes only with a restart\n");
    buf_fini(&problems);
    config_destroy(&next);
    config_destroy(&current);
}

/* The host's name is part of a label that the file does not give: the label stays. */
static void test_host_name(void **state) {
    struct config *current = load_good(LISTEN KEYS);
    struct config *next = load_good(LISTEN KEYS "drainTimeout: 1s\n");

    (void)state;
    current->instance[0] ^= 1;
    assert_true(config_may_reload(current, next, gather, NULL));
    config_exchange(current, next);
    assert_string_not_equal(current->instance, next->instance);
    config_destroy(&next);
    config_destroy(&current);
}

static void reload(struct config *current, struct config_types *types, const char *rest) {
    struct config *next = load_good(text_of(rest));

    assert_true(config_may_reload(current, next, gather, NULL));
    config_exchange(current, next);
    config_destroy(&next);
    config_types_reload(types);
}

static void test_types(void **state) {
    struct config *c = load_good(LISTEN KEYS "resourceTypes: {a: {lockTtl: 4m}}\n");
    struct config_types *types = config_types_create(c);
    const struct config_resource_type *a = config_types_find(types, str_of("a"));
    const struct config_resource_type *other = config_types_find(types, str_of("b"));

    (void)state;
    assert_int_equal(a->policy->lock_ttl_ms, 240000);
    assert_ptr_equal(other->policy, &c->default_policy);
    assert_ptr_equal(config_types_find(types, str_of("ab")), other);

    /* handles stay; a type that is named now has one of its own */
    reload(c, types, "resourceTypes: {b: {lockTtl: 3m}, a: {lockTtl: 6m}}\n");
    assert_ptr_equal(config_types_find(types, str_of("a")), a);
    assert_int_equal(a->policy->lock_ttl_ms, 360000);
    assert_ptr_not_equal(config_types_find(types, str_of("b")), other);
    assert_int_equal(config_types_find(types, str_of("b"))->policy->lock_ttl_ms, 180000);
    assert_int_equal(other->policy->lock_ttl_ms, 300000);

    /* a type that is not named any more has the default's policy, and is refused where those are */
    reload(c, types, "default: {lockTtl: 7m}\nunknownResourceTypes: reject\n");
    assert_int_equal(a->policy->lock_ttl_ms, 420000);
    assert_null(config_types_find(types, str_of("a")));
    reload(c, types, "resourceTypes: {a: {}}\n");
    assert_ptr_equal(config_types_find(types, str_of("a")), a);
    assert_string_equal(a->policy->type, "a");
    config_types_destroy(&types);
    config_destroy(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),  cmocka_unit_test(test_all_are_named),
        cmocka_unit_test(test_listener), cmocka_unit_test(test_host_name),
        cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
