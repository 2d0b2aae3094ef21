/* Documents that load: every default, every way to write a value, what is derived. */
#include "test_config_util.h"

struct good {
    const char *text;    /* behind LISTEN and KEYS */
    const char *printed; /* a line that config_print then writes */
};

static const struct good CASES[] = {
    /* numbers, durations, sizes */
    {"ops: {port: 0}\n", "  port: 0\n"},
    {"drainTimeout: 100ms\n", "drainTimeout: 100ms\n"},
    {"drainTimeout: 1500ms\n", "drainTimeout: 1500ms\n"},
    {"drainTimeout: 90s\n", "drainTimeout: 90s\n"},
    {"drainTimeout: 60m\n", "drainTimeout: 1h\n"},
    {"drainTimeout: \"5s\"\n", "drainTimeout: 5s\n"},
    {"limits: {maxMessageBytes: 5000}\n", "  maxMessageBytes: 5000\n"},
    {"limits: {maxMessageBytes: 64KiB}\n", "  maxMessageBytes: 64KiB\n"},
    {"limits: {maxMessageBytes: 1024KiB}\n", "  maxMessageBytes: 1MiB\n"},
    {"limits: {sendQueueBytes: 4MiB}\n", "  sendQueueBytes: 4MiB\n"},
    {"default: {maxConcurrentTabLocksPerUser: null}\n", "  maxConcurrentTabLocksPerUser: null\n"},
    {"default: {idleRelease: ~}\n", "  idleRelease: null\n"},
    {"default: {idleRelease: 10m}\n", "  idleRelease: 10m\n"},
    {"limits: {maxConnectionsPerAddress: }\n", "  maxConnectionsPerAddress: null\n"},
    /* words and truth */
    {"paths: {polling: False}\n", "  polling: false\n"},
    {"twoPartIds: reject\n", "twoPartIds: reject\n"},
    {"unknownResourceTypes: \"reject\"\n", "unknownResourceTypes: reject\n"},
    {"audit: {freeText: omit, onFailure: stop-all}\n", "  freeText: omit\n"},
    /* texts and lists */
    {"instance: gw-1\n", "instance: \"gw-1\"\n"},
    {"instance: 7\n", "instance: \"7\"\n"},
    {"allowedOrigins: [\"*\"]\n", "allowedOrigins: [\"*\"]\n"},
    {"allowedOrigins:\n  - https://a.org\n  - http://localhost:3000\n  - \"https://[::1]:8443\"\n",
     "allowedOrigins: [\"https://a.org\", \"http://localhost:3000\", \"https://[::1]:8443\"]\n"},
    {"allowedOrigins: [\"null\", file://, \"http://my_host:8080\", capacitor://localhost]\n",
     "allowedOrigins: [\"null\", \"file://\", \"http://my_host:8080\", "
     "\"capacitor://localhost\"]\n"},
    {"limits: {maxHeaderBytes: 64KiB}\n", "  maxHeaderBytes: 64KiB\n"},
    {"default: {editorRoles: []}\n", "  editorRoles: []\n"},
    {"default: {editorRoles: [a, b c]}\n", "  editorRoles: [\"a\", \"b c\"]\n"},
    {"audit: {file: \"-\"}\n", "  file: \"-\"\n"},
    {"audit: {file: 'a\"b\\c $${X}'}\n", "  file: \"a\\\"b\\\\c $${X}\"\n"},
    {"ops: {socket: null}\n", "  socket: null\n"},
    {"ops: null\n", "ops: null\n"},
    {"limits:\n", "  maxConnections: 100000\n"},
    {"paths: {socketio: /io}\n", "  socketio: \"/io/\"\n"},
    {"resourceTypes:\n", "resourceTypes: {}\n"},
    {"resourceTypes: {a: }\n", "  a:\n    lockTtl: 5m\n"},
    /* JSON is YAML */
    {"\"log\": {\"level\": \"debug\", \"format\": \"json\"}\n", "  level: debug\n"},
};

static void test_values(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char text[1024];
        struct buf out;
        struct config *c;

        (void)snprintf(text, sizeof text, LISTEN KEYS "%s", CASES[i].text);
        c = load_good(text);
        buf_init(&out);
        config_print(c, &out);
        if (strstr(buf_cstr(&out), CASES[i].printed) == NULL) {
            fail_msg("%s printed no \"%s\" but\n%s", CASES[i].text, CASES[i].printed, out.data);
        }
        buf_fini(&out);
        config_destroy(&c);
    }
}

static void test_json(void **state) {
    struct config *c = load_good("{\"listen\": [{\"address\": \"::1\", \"port\": 1,\n"
                                 "\t\"plaintext\": true}],\n"
                                 "\t\"auth\": {\"jwks\": {\"file\": \"/j\"}}}");

    (void)state;
    assert_string_equal(c->listen[0].address, "::1");
    assert_string_equal(c->auth.jwks_file, "/j");
    config_destroy(&c);
}

static void test_loopback_urls(void **state) {
    static const char *const URLS[] = {
        "http://127.0.0.1:8080/certs",
        "http://127.1.2.3/",
        "http://[::1]:8080/certs",
        "http://[::1]/certs",
        "http://localhost",
        "http://LOCALHOST:80/certs",
        "https://id.example.org/",
        "https://[2001:db8::1]:8443/certs",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(URLS); i++) {
        char text[256];
        struct config *c;

        (void)snprintf(text, sizeof text, LISTEN "auth: {jwks: {url: \"%s\"}}\n", URLS[i]);
        c = load_good(text);
        assert_string_equal(c->auth.jwks_url, URLS[i]);
        config_destroy(&c);
    }
}

/* `::` beside an IPv4 address of the same port is for IPv6, as it could be nothing else. */
static void test_ipv6_only(void **state) {
    static const struct {
        const char *address, *more;
        bool only;
    } LISTENERS[] = {
        {"::", "", false},
        {"::", "{address: 127.0.0.1, port: 2, plaintext: true}", false},
        {"::", "{address: 127.0.0.1, port: 1, plaintext: true}", true},
        {"0::0", "{address: 0.0.0.0, port: 1, plaintext: true}", true},
        {"::", "{address: \"::ffff:127.0.0.1\", port: 1, plaintext: true}", true},
        {"::1", "{address: 0.0.0.0, port: 1, plaintext: true}", false},
        {"::", "{address: \"::1\", port: 2, plaintext: true, ipv6Only: true}", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(LISTENERS); i++) {
        char text[512];
        struct config *c;

        (void)snprintf(text, sizeof text,
                       "listen: [{address: \"%s\", port: 1, plaintext: true}, %s]\n" KEYS,
                       LISTENERS[i].address, LISTENERS[i].more);
        c = load_good(text);
        assert_int_equal(c->listen[0].ipv6_only, LISTENERS[i].only);
        config_destroy(&c);
    }
    struct config *c = load_good("listen: [{address: \"::\", port: 9464, plaintext: true}]\n" KEYS);
    assert_true(c->listen[0].ipv6_only);
    config_destroy(&c);
}

/* What looks like an overlap and is none. */
static void test_neighbours(void **state) {
    static const struct {
        const char *listen, *port, *ops, *ops_port;
        bool ops_only;
    } PLACES[] = {
        {"0.0.0.0", "1", "127.0.0.1", "2", false},
        {"0.0.0.0", "0", "0.0.0.0", "0", false},
        {"::", "0", "0.0.0.0", "0", false},
        {"127.0.0.1", "1", "127.0.0.2", "1", false},
        {"::1", "1", "127.0.0.1", "1", false},
        {"::1", "1", "0.0.0.0", "1", false},
        {"::1", "1", "::2", "1", false},
        {"0.0.0.0", "1", "::", "1", true},
        {"::ffff:127.0.0.1", "1", "::", "1", true},
        {"127.0.0.1", "2", "::", "1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(PLACES); i++) {
        char text[512];
        struct config *c;

        (void)snprintf(text, sizeof text,
                       "listen: [{address: \"%s\", port: %s, plaintext: true}]\n" KEYS
                       "ops: {address: \"%s\", port: %s}\n",
                       PLACES[i].listen, PLACES[i].port, PLACES[i].ops, PLACES[i].ops_port);
        c = load_good(text);
        assert_int_equal(c->ops.ipv6_only, PLACES[i].ops_only);
        config_destroy(&c);
    }
    struct config *c =
        load_good("listen: [{address: 0.0.0.0, port: 1, plaintext: true}]\n" KEYS "ops: null\n");
    config_destroy(&c);
}

static void test_defaults(void **state) {
    struct config *c = load_good(LISTEN KEYS);
    char host[65] = "", label[80];

    (void)state;
    assert_true(c->ops.enabled);
    assert_string_equal(c->ops.address, "127.0.0.1");
    assert_int_equal(c->ops.port, 9464);
    assert_string_equal(c->ops.socket, "/run/wslockd/ops.sock");
    assert_null(c->ops.token_file);
    assert_int_equal(c->ops.ready_grace_ms, 15000);
    assert_string_equal(c->paths.native, "/ws");
    assert_string_equal(c->paths.socketio, "/socket.io/");
    assert_true(c->paths.polling);
    assert_int_equal(c->limits.max_header_bytes, 16384);
    assert_false(c->listen[0].ipv6_only);
    assert_int_equal(c->allowed_origins.count, 0);
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(label, sizeof label, "%s:0", host);
    assert_string_equal(c->instance, label);
    config_bound_port(c, 41234);
    (void)snprintf(label, sizeof label, "%s:41234", host);
    assert_string_equal(c->instance, label);
    assert_int_equal(c->drain_timeout_ms, 10000);
    assert_null(c->auth.issuer);
    assert_false(c->auth.audience.set);
    assert_int_equal(c->auth.algorithms.count, 2);
    assert_string_equal(c->auth.algorithms.items[1], "ES256");
    assert_int_equal(c->auth.clock_skew_ms, 30000);
    assert_string_equal(c->auth.claim_roles, "/realm_access/roles");
    assert_string_equal(c->auth.admin_roles.items[0], "lock-admin");
    assert_string_equal(c->redis.host, "127.0.0.1");
    assert_int_equal(c->redis.port, 6379);
    assert_int_equal(c->redis.shards, 16);
    assert_int_equal(c->redis.lease_ms, 10000);
    assert_int_equal(c->default_policy.lock_ttl_ms, 300000);
    assert_int_equal(c->default_policy.max_tab_locks, 5);
    assert_int_equal(c->default_policy.max_viewers, CONFIG_NO_LIMIT);
    assert_int_equal(c->default_policy.upgrade, CONFIG_UPGRADE_DENY);
    assert_int_equal(c->default_policy.disconnect, CONFIG_DISCONNECT_GRACE);
    assert_int_equal(c->default_policy.takeover, CONFIG_TAKEOVER_REQUEST);
    assert_false(c->default_policy.editor_roles.set);
    assert_int_equal(c->default_policy.idle_release_ms, CONFIG_NO_LIMIT);
    assert_string_equal(c->default_policy.type, "other");
    assert_int_equal(c->limits.max_connections_per_address, CONFIG_NO_LIMIT);
    assert_int_equal(c->limits.max_message_bytes, 16384);
    assert_int_equal(c->audit.on_failure, CONFIG_ON_FAILURE_STOP_ADMIN);
    assert_int_equal(c->log.level, LOG_LEVEL_INFO);
    assert_null(c->ticket_signing_key_file);
    assert_false(c->dev);
    config_destroy(&c);
    assert_null(c);
}

static void test_policies(void **state) {
    struct config *c = load_good(LISTEN KEYS "resourceTypes:\n"
                                             "  document: {maxViewersPerChild: 50}\n"
                                             "  report: {editorRoles: [b], lockTtl: 10m}\n"
                                             "default: {editorRoles: [a], lockTtl: 4m}\n");
    const struct config_policy *document = config_policy_for(c, str_of("document"));
    const struct config_policy *report = config_policy_for(c, str_of("report"));

    (void)state;
    assert_string_equal(document->type, "document");
    assert_int_equal(document->max_viewers, 50);
    assert_int_equal(document->lock_ttl_ms, 240000);
    assert_string_equal(document->editor_roles.items[0], "a");
    assert_int_equal(report->lock_ttl_ms, 600000);
    assert_int_equal(report->editor_roles.count, 1);
    assert_string_equal(report->editor_roles.items[0], "b");
    assert_int_equal(report->max_viewers, CONFIG_NO_LIMIT);
    assert_ptr_equal(config_policy_for(c, str_of("other")), &c->default_policy);
    config_destroy(&c);
    c = load_good(LISTEN KEYS "resourceTypes: {document: {}}\nunknownResourceTypes: reject\n");
    assert_non_null(config_policy_for(c, str_of("document")));
    assert_null(config_policy_for(c, str_of("documen")));
    config_destroy(&c);
}

static void test_lists_of_mappings(void **state) {
    struct config *c = load_good(
        "listen:\n"
        "  - {address: 0.0.0.0, port: 8443, tls: {certificate: /c, key: /k, minVersion: 1.3},\n"
        "     trustedProxies: [10.0.0.0/8, 192.0.2.7, \"2001:db8::1\"]}\n"
        "  - {systemdSocket: public, plaintext: true}\n"
        "auth:\n"
        "  algorithms: [HS512, EdDSA]\n"
        "  audience: editor\n"
        "  keys:\n"
        "    - {alg: HS512, secretFile: /s}\n"
        "    - {alg: EdDSA, publicKeyFile: /p}\n");

    (void)state;
    assert_int_equal(c->listen_count, 2);
    assert_true(c->listen[0].tls);
    assert_string_equal(c->listen[0].tls_min_version, "1.3");
    assert_string_equal(c->listen[0].trusted_proxies.items[1], "192.0.2.7/32");
    assert_string_equal(c->listen[0].trusted_proxies.items[2], "2001:db8::1/128");
    assert_false(c->listen[1].tls);
    assert_string_equal(c->listen[1].systemd_socket, "public");
    assert_int_equal(c->auth.key_count, 2);
    assert_null(c->auth.keys[1].kid);
    assert_string_equal(c->auth.keys[1].public_key_file, "/p");
    assert_true(c->auth.audience.set);
    assert_string_equal(c->auth.audience.items[0], "editor");
    config_destroy(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),        cmocka_unit_test(test_json),
        cmocka_unit_test(test_loopback_urls), cmocka_unit_test(test_ipv6_only),
        cmocka_unit_test(test_neighbours),    cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_policies),      cmocka_unit_test(test_lists_of_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
