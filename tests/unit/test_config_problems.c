/* Documents that are refused: each names the line, the key and something of the text. */
#include "test_config_util.h"

struct bad {
    const char *text;
    const char *expected[4]; /* "LINE KEY: TEXT", TEXT being the start of what is said */
};

#define LISTEN_TWO(a, b)                                                                           \
    "listen:\n  - {address: \"" a "\", port: 1, plaintext: true}\n"                                \
    "  - {address: \"" b "\", port: 1, plaintext: true}\n" KEYS
#define LISTEN_AND_OPS(a, b)                                                                       \
    "listen: [{address: \"" a "\", port: 1, plaintext: true}]\n" KEYS "ops: {address: \"" b        \
    "\", port: 1}\n"

static const struct bad CASES[] = {
    /* YAML itself */
    {"a: [1\nb: 2\n", {"2 : not YAML: "}},
    {LISTEN KEYS "instance: &x a\n", {"3 : anchors"}},
    {LISTEN KEYS "instance: *x\n", {"3 : aliases"}},
    {LISTEN KEYS "instance: !!str x\n", {"3 : tags"}},
    {LISTEN KEYS "---\nx: 1\n", {"3 : a second document"}},
    {"- 1\n", {"1 : the file must be a mapping"}},
    {LISTEN KEYS "? [a]\n: 1\n", {"3 : a name must be"}},
    {LISTEN KEYS "instance: \"a\\u0000b\"\n", {"3 : a control character"}},
    {LISTEN KEYS "instance: \"a\\nb\"\n", {"3 : a control character"}},
    {LISTEN KEYS "default: {editorRoles: [\"a\\u0000\"]}\n", {"3 : a control character"}},
    {LISTEN "\n\ninstance: \xff\n", {"4 : not YAML: invalid leading UTF-8 octet"}},
    {"a: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", {"1 : nested deeper"}},
    /* what is missing */
    {"", {"1 listen: missing", "1 auth: no keys"}},
    {"# nothing\n", {"1 listen: missing", "1 auth: no keys"}},
    {KEYS "listen: []\n", {"2 listen: one listener"}},
    {LISTEN "auth:\n  keys: []\n", {"2 auth: no keys"}},
    {LISTEN "auth: {jwks: {refresh: 10m}}\n", {"2 auth: no keys"}},
    {LISTEN "auth:\n  keys:\n  - {alg: HS256, secretFile: /s}\n",
     {"3 auth.keys: no usable key: none has an alg that is in auth.algorithms"}},
    {LISTEN "auth:\n  algorithms: [ES256]\n  keys: [{alg: RS256, publicKeyFile: /p}]\n",
     {"4 auth.keys: no usable key"}},
    /* names */
    {LISTEN KEYS "lisen: 1\n", {"3 lisen: unknown key; is \"listen\" meant?"}},
    {LISTEN KEYS "ops:\n  prot: 1\n", {"4 ops.prot: unknown key; is \"port\" meant?"}},
    {LISTEN KEYS "default: {locktTL: 1m}\n", {"3 default.locktTL: unknown key; is \"lockTtl\""}},
    {LISTEN KEYS "resourceTypes: {document: {foo: 1}}\n",
     {"3 resourceTypes.document.foo: unknown key"}},
    {LISTEN KEYS "auth.clockSkew: 30s\n", {"3 auth.clockSkew: unknown key"}},
    {LISTEN KEYS "log: {level: info, level: warn}\n", {"3 log.level: this key is there already"}},
    {"listen:\n  - {address: \"::\", port: 1, plaintext: true}\n"
     "  - {address: \"::1\", port: 2, plaintext: true,\n     port: 3}\n" KEYS,
     {"4 listen[1].port: this key is there already"}},
    {LISTEN KEYS "drainTimeout: 1s\n\ndrainTimeout: 2s\n", {"5 drainTimeout: this key is"}},
    /* types */
    {LISTEN KEYS "ops: 1\n", {"3 ops: expected a mapping"}},
    {LISTEN KEYS "ops:\n  - 1\n", {"3 ops: expected a mapping"}},
    {LISTEN KEYS "ops: {port: abc}\n",
     {"3 ops.port: expected a number from 0 to 65535, not \"abc\""}},
    {LISTEN KEYS "ops: {port: \"80\"}\n", {"3 ops.port: expected a number"}},
    {LISTEN KEYS "ops: {port: 070}\n", {"3 ops.port: expected a number"}},
    {LISTEN KEYS "ops: {port: 8.5}\n", {"3 ops.port: expected a number"}},
    {LISTEN KEYS "ops: {port: null}\n",
     {"3 ops.port: expected a number from 0 to 65535, not null"}},
    {LISTEN KEYS "ops: {port: [1]}\n",
     {"3 ops.port: expected a number from 0 to 65535, not a list"}},
    {LISTEN KEYS "paths: {polling: yes}\n",
     {"3 paths.polling: expected true or false, not \"yes\""}},
    {LISTEN KEYS "paths: {polling: \"true\"}\n", {"3 paths.polling: expected true or false"}},
    {LISTEN KEYS "default: {upgrade: maybe}\n",
     {"3 default.upgrade: expected deny, queue or request, not \"maybe\""}},
    {LISTEN KEYS "twoPartIds: Normalize\n", {"3 twoPartIds: expected normalize or reject"}},
    {LISTEN KEYS "allowedOrigins: \"*\"\n", {"3 allowedOrigins: expected a list of texts"}},
    {LISTEN KEYS "default: {editorRoles: [a, [b]]}\n",
     {"3 default.editorRoles[1]: expected a list of texts, not a list"}},
    {LISTEN KEYS "default: {editorRoles: [\"\"]}\n",
     {"3 default.editorRoles[0]: expected a text of"}},
    {LISTEN KEYS "resourceTypes: [document]\n", {"3 resourceTypes: expected a mapping"}},
    {LISTEN KEYS "resourceTypes: {document: 3}\n",
     {"3 resourceTypes.document: expected a mapping"}},
    {"listen: {address: 127.0.0.1}\n" KEYS, {"1 listen: expected a list"}},
    {"listen: [1]\n" KEYS, {"1 listen[0]: expected a mapping"}},
    /* durations and sizes */
    {LISTEN KEYS "drainTimeout: 30\n", {"3 drainTimeout: expected a duration from 100ms to 1h"}},
    {LISTEN KEYS "drainTimeout: 99ms\n", {"3 drainTimeout: expected a duration"}},
    {LISTEN KEYS "drainTimeout: 1.5s\n", {"3 drainTimeout: expected a duration"}},
    {LISTEN KEYS "drainTimeout: 1h1m\n", {"3 drainTimeout: expected a duration"}},
    {LISTEN KEYS "drainTimeout: 1 s\n", {"3 drainTimeout: expected a duration"}},
    {LISTEN KEYS "drainTimeout: 2h\n", {"3 drainTimeout: expected a duration"}},
    {LISTEN KEYS "drainTimeout: -1s\n", {"3 drainTimeout: expected a duration"}},
    {LISTEN KEYS "drainTimeout: 99999999999999999999s\n", {"3 drainTimeout: expected a duration"}},
    {LISTEN KEYS "drainTimeout: s\n", {"3 drainTimeout: expected a duration"}},
    {LISTEN KEYS "limits: {maxMessageBytes: 16KB}\n",
     {"3 limits.maxMessageBytes: expected a size from 1KiB to 1MiB, not \"16KB\""}},
    {LISTEN KEYS "limits: {maxMessageBytes: 2MiB}\n",
     {"3 limits.maxMessageBytes: expected a size"}},
    {LISTEN KEYS "limits: {maxMessageBytes: 1023}\n",
     {"3 limits.maxMessageBytes: expected a size"}},
    {LISTEN KEYS "limits: {maxMessageBytes: null}\n",
     {"3 limits.maxMessageBytes: expected a size"}},
    {LISTEN KEYS "limits: {maxConnections: -1}\n", {"3 limits.maxConnections: expected a number"}},
    /* listeners */
    {"listen:\n  - {address: 127.0.0.1, port: 0}\n" KEYS, {"2 listen[0]: needs tls, or plaintext"}},
    {"listen:\n  - address: ::1\n    port: 1\n    plaintext: true\n"
     "    tls: {certificate: /c, key: /k}\n" KEYS,
     {"4 listen[0].plaintext: with tls"}},
    {"listen: [{port: 1, plaintext: true}]\n" KEYS, {"1 listen[0].address: needed"}},
    {"listen: [{address: 127.0.0.1, plaintext: true}]\n" KEYS, {"1 listen[0].port: needed"}},
    {"listen: [{address: localhost, port: 1, plaintext: true}]\n" KEYS,
     {"1 listen[0].address: expected an IP address"}},
    {"listen: [{address: \"[::1]\", port: 1, plaintext: true}]\n" KEYS,
     {"1 listen[0].address: expected an IP address"}},
    {"listen: [{address: \"::1\", port: 65536, plaintext: true}]\n" KEYS,
     {"1 listen[0].port: expected"}},
    {"listen:\n  - {address: \"::1\", port: 1, tls: {}}\n" KEYS,
     {"2 listen[0].tls.certificate: missing", "2 listen[0].tls.key: missing"}},
    {"listen: [{address: \"::1\", port: 1, tls: {certificate: /c, key: /k, minVersion: "
     "1.1}}]\n" KEYS,
     {"1 listen[0].tls.minVersion: expected \"1.2\" or \"1.3\""}},
    {"listen:\n  - {address: \"::1\", port: 1, plaintext: true}\n"
     "  - {address: \"::1\", port: 1, plaintext: true}\n" KEYS,
     {"3 listen[1]: the same endpoint as listen[0]"}},
    {"listen:\n  - {address: \"::\", port: 1, plaintext: true, ipv6Only: false}\n"
     "  - {address: 127.0.0.1, port: 1, plaintext: true}\n" KEYS,
     {"2 listen[0].ipv6Only: another listener has the port for IPv4"}},
    {"listen: [{address: 127.0.0.1, port: 9464, plaintext: true}]\n" KEYS,
     {"1 listen[0]: the same endpoint as ops"}},
    {LISTEN_TWO("0.0.0.0", "127.0.0.1"), {"3 listen[1]: overlaps listen[0]"}},
    {LISTEN_TWO("127.0.0.1", "0.0.0.0"), {"3 listen[1]: overlaps listen[0]"}},
    {LISTEN_TWO("::", "::1"), {"3 listen[1]: overlaps listen[0]"}},
    {LISTEN_TWO("::", "0::0"), {"3 listen[1]: the same endpoint as listen[0]"}},
    {LISTEN_TWO("::1", "0:0::1"), {"3 listen[1]: the same endpoint as listen[0]"}},
    {LISTEN_TWO("::ffff:127.0.0.1", "127.0.0.1"), {"3 listen[1]: the same endpoint as listen[0]"}},
    {LISTEN_TWO("::ffff:7f00:1", "0.0.0.0"), {"3 listen[1]: overlaps listen[0]"}},
    {LISTEN_AND_OPS("0.0.0.0", "127.0.0.1"), {"1 listen[0]: overlaps ops"}},
    {LISTEN_AND_OPS("::", "::1"), {"1 listen[0]: overlaps ops"}},
    {LISTEN_AND_OPS("::", "::"), {"1 listen[0]: the same endpoint as ops"}},
    {LISTEN_AND_OPS("127.0.0.1", "::ffff:127.0.0.1"), {"1 listen[0]: the same endpoint as ops"}},
    {"listen:\n  - {address: \"::\", port: 1, plaintext: true, ipv6Only: false}\n"
     "  - {address: \"::ffff:127.0.0.1\", port: 1, plaintext: true}\n" KEYS,
     {"2 listen[0].ipv6Only: another listener has the port for IPv4"}},
    {"listen: [{address: \"::ffff:127.0.0.1\", port: 0, plaintext: true, ipv6Only: true}]\n" KEYS,
     {"1 listen[0].ipv6Only: ::ffff:127.0.0.1 is an IPv4 address"}},
    {"listen: [{address: \"::1\", port: 1, plaintext: true, trustedProxies: [10.0.0.0/33]}]\n" KEYS,
     {"1 listen[0].trustedProxies[0]: expected a prefix length"}},
    {"listen: [{address: \"::1\", port: 1, plaintext: true, trustedProxies: [10.0.0.1/8]}]\n" KEYS,
     {"1 listen[0].trustedProxies[0]: expected a network: no bits"}},
    {"listen: [{address: \"::1\", port: 1, plaintext: true, trustedProxies: [lan]}]\n" KEYS,
     {"1 listen[0].trustedProxies[0]: expected a network such as"}},
    /* paths, origins, label */
    {LISTEN KEYS "paths: {native: ws}\n", {"3 paths.native: expected a path"}},
    {LISTEN KEYS "paths: {native: /a/../b}\n", {"3 paths.native: expected a path"}},
    {LISTEN KEYS "paths: {native: /s, socketio: /s/}\n", {"3 paths.native: the same place"}},
    {LISTEN KEYS "paths: {native: /s/ws, socketio: /s}\n", {"3 paths.native: the same place"}},
    {LISTEN KEYS "allowedOrigins: [example.org]\n", {"3 allowedOrigins[0]: expected scheme://"}},
    {LISTEN KEYS "allowedOrigins: [\"https://example.org/\"]\n", {"3 allowedOrigins[0]: expected"}},
    {LISTEN KEYS "allowedOrigins: [\"https://Example.org\"]\n", {"3 allowedOrigins[0]: expected"}},
    {LISTEN KEYS "allowedOrigins: [\"https://example.org:443\"]\n",
     {"3 allowedOrigins[0]: expected an origin without the scheme's own port"}},
    {LISTEN KEYS "allowedOrigins: [\"https://e.org:0\"]\n", {"3 allowedOrigins[0]: expected"}},
    {LISTEN KEYS "allowedOrigins: [\"Null\", \"file:///\", \"file://x y\"]\n",
     {"3 allowedOrigins[0]: expected", "3 allowedOrigins[1]: expected",
      "3 allowedOrigins[2]: expected"}},
    {LISTEN KEYS "limits: {maxHeaderBytes: 512}\n", {"3 limits.maxHeaderBytes: "}},
    {LISTEN KEYS "limits: {maxHeaderBytes: 65KiB}\n", {"3 limits.maxHeaderBytes: "}},
    {LISTEN KEYS "allowedOrigins: [\"https://e.org\", \"*\"]\n",
     {"3 allowedOrigins: \"*\" allows"}},
    {LISTEN KEYS "instance: \"a b\"\n", {"3 instance: expected 1 to 128 letters"}},
    {LISTEN KEYS "resourceTypes: {Document: {}}\n",
     {"3 resourceTypes.Document: expected a resource type"}},
    {LISTEN KEYS "resourceTypes: {\"x[\": {}}\n", {"3 resourceTypes.x[: expected a resource type"}},
    {LISTEN KEYS "resourceTypes: {\"\": {}}\n", {"3 resourceTypes.: expected a resource type"}},
    /* policies */
    {LISTEN KEYS "default: {lockTtl: 1m, heartbeatInterval: 31s}\n",
     {"3 default.heartbeatInterval: heartbeatInterval (31000 ms) must be at most half of lockTtl"}},
    {LISTEN KEYS "default: {lockTtl: 1m}\n", {"3 default.lockTtl: heartbeatInterval (60000 ms)"}},
    {LISTEN KEYS "default: {lockTtl: 1m}\nresourceTypes: {a: {upgrade: queue}}\n",
     {"3 default.lockTtl: heartbeatInterval"}},
    {LISTEN KEYS "resourceTypes:\n  document:\n    lockTtl: 90s\n",
     {"5 resourceTypes.document.lockTtl: heartbeatInterval (60000 ms)"}},
    {"resourceTypes:\n  a: {lockTtl: 90s}\n" LISTEN KEYS "default: {heartbeatInterval: 1m}\n",
     {"2 resourceTypes.a.lockTtl: heartbeatInterval (60000 ms)"}},
    {LISTEN KEYS "default: {idleRelease: 30s}\n",
     {"3 default.idleRelease: idleRelease (30000 ms)"}},
    {LISTEN KEYS "default: {maxViewersPerChild: 0}\n",
     {"3 default.maxViewersPerChild: expected a number from 1"}},
    /* keys and tokens */
    {LISTEN "auth: {keys: [{alg: none}]}\n", {"2 auth.keys[0].alg: expected one of HS256"}},
    {LISTEN "auth: {keys: [{kid: a, publicKeyFile: /a}]}\n", {"2 auth.keys[0].alg: missing"}},
    {LISTEN "auth: {keys: [{alg: RS256}]}\n",
     {"2 auth.keys[0].publicKeyFile: a key for RS256 needs"}},
    {LISTEN "auth: {keys: [{alg: RS256, secretFile: /s}]}\n",
     {"2 auth.keys[0].publicKeyFile: a key for RS256 needs publicKeyFile",
      "2 auth.keys[0].secretFile: a key for RS256 has publicKeyFile, no secretFile"}},
    {LISTEN "auth: {algorithms: [HS256], keys: [{alg: HS256, publicKeyFile: /s}]}\n",
     {"2 auth.keys[0].secretFile: a key for HS256 needs secretFile",
      "2 auth.keys[0].publicKeyFile: a key for HS256 has"}},
    {LISTEN "auth:\n  keys:\n    - {kid: a, alg: RS256, publicKeyFile: /a}\n"
            "    - {kid: a, alg: ES256, publicKeyFile: /b}\n",
     {"5 auth.keys[1].kid: auth.keys[0] has the same kid"}},
    {LISTEN "auth:\n  keys:\n    - {alg: RS256, publicKeyFile: /a}\n"
            "    - {alg: RS256, publicKeyFile: /b}\n",
     {"5 auth.keys[1].kid: two keys for RS256"}},
    {LISTEN "auth: {jwks: {url: \"https://i.org/c\", file: /j}}\n",
     {"2 auth.jwks.file: url or file"}},
    {LISTEN "auth: {jwks: {url: \"ftp://i.org/c\"}}\n",
     {"2 auth.jwks.url: expected an http or https URL", "2 auth: no keys"}},
    {LISTEN "auth: {jwks: {url: \"http://i.org/c\"}}\n", {"2 auth.jwks.url: http is only"}},
    {LISTEN "auth: {jwks: {url: \"http://localhost.i.org/c\"}}\n",
     {"2 auth.jwks.url: http is only"}},
    {LISTEN "auth: {jwks: {url: \"http://[::2]:80/c\"}}\n", {"2 auth.jwks.url: http is only"}},
    {LISTEN "auth: {jwks: {url: \"https://u:p@i.org/c\"}}\n",
     {"2 auth.jwks.url: expected an http or https URL", "2 auth: no keys"}},
    {LISTEN "auth: {jwks: {file: /j, refresh: 1m, cooldown: 2m, maxAge: 30s}}\n",
     {"2 auth.jwks.cooldown: longer", "2 auth.jwks.maxAge: shorter"}},
    {LISTEN "auth: {jwks: {file: /j}, claims: {roles: /a~b}}\n",
     {"2 auth.claims.roles: expected a JSON pointer"}},
    {LISTEN "auth: {jwks: {file: /j}, claims: {userId: /a~, username: /~/b, roles: \"\"}}\n",
     {"2 auth.claims.userId: expected a JSON pointer",
      "2 auth.claims.username: expected a JSON pointer", "2 auth.claims.roles: expected"}},
    {LISTEN "auth: {jwks: {file: /j}, claims: {userId: null}}\n",
     {"2 auth.claims.userId: expected"}},
    {LISTEN "auth: {jwks: {file: /j}, algorithms: []}\n", {"2 auth.algorithms: an empty list"}},
    {LISTEN "auth: {jwks: {file: /j}, algorithms: [none]}\n",
     {"2 auth.algorithms[0]: expected one of"}},
    {LISTEN "auth: {jwks: {file: /j}, cookie: \"a b\"}\n",
     {"2 auth.cookie: expected a cookie name"}},
    /* the store */
    {LISTEN KEYS "redis: {url: \"http://h\"}\n", {"3 redis.url: expected redis://host"}},
    {LISTEN KEYS "redis: {url: \"redis://h:0\"}\n", {"3 redis.url: the port"}},
    {LISTEN KEYS "redis: {url: \"redis://h:66666\"}\n", {"3 redis.url: the port"}},
    {LISTEN KEYS "redis: {url: \"redis://\"}\n", {"3 redis.url: no host"}},
    {LISTEN KEYS "redis: {url: \"redis://h/x\"}\n", {"3 redis.url: behind the host"}},
    {LISTEN KEYS "redis: {url: \"redis://h/0?a=1\"}\n", {"3 redis.url: behind the host"}},
    {LISTEN KEYS "redis: {url: \"redis://:a%2@h\"}\n", {"3 redis.url: % is not followed"}},
    {LISTEN KEYS "redis: {url: \"redis://:a%00@h\"}\n", {"3 redis.url: % is not followed"}},
    {LISTEN KEYS "redis: {url: \"redis://:@h\"}\n", {"3 redis.url: the password is empty"}},
    {LISTEN KEYS "redis: {url: \"redis://user@h\"}\n", {"3 redis.url: a user without a password"}},
    {LISTEN KEYS "redis: {url: \"unix:run/redis\"}\n",
     {"3 redis.url: unix: needs an absolute path"}},
    {LISTEN KEYS "redis: {url: \"unix:/r?x=1\"}\n", {"3 redis.url: behind the path"}},
    {LISTEN KEYS "redis: {url: \"unix:/r?db=\"}\n", {"3 redis.url: behind the path"}},
    {LISTEN KEYS "redis: {url: null}\n", {"3 redis.url: null, and no embedded"}},
    {LISTEN KEYS "redis: {embedded: true, waitReplicas: 1}\n",
     {"3 redis.waitReplicas: the embedded server has no replicas"}},
    {LISTEN KEYS "redis:\n  url: redis://h\n  embedded: true\n",
     {"5 redis.embedded: excludes redis.url"}},
    {LISTEN KEYS
     "redis:\n  sentinel: {master: m, nodes: [\"a:1\"]}\n  cluster: {nodes: [\"a:1\"]}\n",
     {"5 redis.cluster: excludes redis.sentinel"}},
    {LISTEN KEYS "redis: {sentinel: {}}\n",
     {"3 redis.sentinel.master: missing", "3 redis.sentinel.nodes: missing"}},
    {LISTEN KEYS "redis: {cluster: {nodes: []}}\n", {"3 redis.cluster.nodes: one node"}},
    {LISTEN KEYS "redis: {cluster: {nodes: [\"a\"]}}\n",
     {"3 redis.cluster.nodes[0]: expected host:port"}},
    {LISTEN KEYS "redis: {sentinel: {master: m, nodes: [\"a:1\"], username: u}}\n",
     {"3 redis.sentinel.username: a user without a password"}},
    {LISTEN KEYS "redis: {passwordFile: /nonexistent/p}\n",
     {"3 redis.passwordFile: /nonexistent/p: No such file"}},
    {LISTEN KEYS "redis: {url: \"redis://:p@h\", passwordFile: /p}\n",
     {"3 redis.passwordFile: redis.url has a password"}},
    {LISTEN KEYS "redis: {keyPrefix: \"a{b}\"}\n", {"3 redis.keyPrefix: expected 1 to 32"}},
    {LISTEN KEYS "redis: {shards: 0}\n", {"3 redis.shards: expected a number from 1"}},
    /* variables and credentials */
    {LISTEN KEYS "instance: ${WSLOCK_TEST_UNSET}\n",
     {"3 instance: the environment variable WSLOCK_TEST_UNSET is not set"}},
    {LISTEN KEYS "instance: ${1X}\n", {"3 instance: \"${\" needs the name"}},
    {LISTEN KEYS "instance: \"${PATH\"\n", {"3 instance: \"${\" needs the name"}},
    {LISTEN KEYS "${PATH}: 1\n", {"3 ${PATH}: unknown key"}},
    {LISTEN "auth:\n  keys: [{alg: RS256, publicKeyFile: \"credential:k\"}]\n",
     {"3 auth.keys[0].publicKeyFile: a credential, but CREDENTIALS_DIRECTORY is not set",
      "3 auth.keys[0].publicKeyFile: a key for RS256 needs"}},
    {LISTEN KEYS "tickets: {signingKeyFile: \"credential:../x\"}\n",
     {"3 tickets.signingKeyFile: expected a credential's name"}},
    /* all of them are told, in the order of their lines */
    {"foo: 1\nlog: {level: loud}\ndrainTimeout: x\n" LISTEN,
     {"1 foo: unknown", "1 auth: no keys", "2 log.level: expected", "3 drainTimeout: expected"}},
};

/* Compares the gathered lines one by one: no problem more, none less. */
static bool check_case(const struct bad *bad) {
    struct buf problems;
    struct config *c = load(bad->text, &problems);
    const char *line = problems.data;
    bool ok = c == NULL;

    for (size_t i = 0; ok && i < ARRAY_LEN(bad->expected) && bad->expected[i] != NULL; i++) {
        const char *end = strchr(line, '\n');

        ok = end != NULL && strncmp(line, bad->expected[i], strlen(bad->expected[i])) == 0;
        line = ok ? end + 1 : line;
    }
    ok = ok && *line == '\0';
    if (!ok) {
        print_error("in:\n%sgot, from where it differs:\n%s\n", bad->text, line);
    }
    config_destroy(&c);
    buf_fini(&problems);
    return ok;
}

static void test_bad_documents(void **state) {
    size_t wrong = 0;

    (void)state;
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("WSLOCK_TEST_UNSET");
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        wrong += !check_case(&CASES[i]);
    }
    assert_int_equal(wrong, 0);
}

static void test_secrets_are_not_told(void **state) {
    static const char *const URLS[] = {"http://u:hunter2@h", "redis://u:hunter2@h:x",
                                       "redis://u:hunter2/x@h", "redis://u:hunter2%@h",
                                       "redis://hunter2@h"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(URLS); i++) {
        char text[512];
        struct buf problems;

        (void)snprintf(text, sizeof text, LISTEN KEYS "redis: {url: \"%s\"}\n", URLS[i]);
        assert_null(load(text, &problems));
        assert_true(problems.len > 0);
        assert_null(strstr(problems.data, "hunter2"));
        buf_fini(&problems);
    }
}

static void test_bounds(void **state) {
    struct buf text, problems;

    (void)state;
    buf_init(&text);
    for (int i = 0; i < 5000; i++) {
        buf_printf(&text, "k%d: 1\n", i);
    }
    assert_null(load(buf_cstr(&text), &problems));
    assert_non_null(strstr(problems.data, "too many entries"));
    buf_fini(&problems);

    buf_reset(&text);
    while (text.len <= 1024 * 1024) {
        buf_append_str(&text, "# filler\n");
    }
    assert_null(load(buf_cstr(&text), &problems));
    assert_string_equal(problems.data, "0 : longer than 1048576 bytes\n");
    buf_fini(&problems);

    buf_reset(&text);
    buf_append_str(&text, "a: ");
    for (int i = 0; i < 70000; i++) {
        buf_append_char(&text, 'x');
    }
    assert_null(load(buf_cstr(&text), &problems));
    assert_non_null(strstr(problems.data, "a value longer than 65536 bytes"));
    buf_fini(&problems);

    buf_reset(&text);
    for (int i = 0; i < 2000; i++) {
        buf_append_str(&text, "k: 1\n");
    }
    assert_null(load(buf_cstr(&text), &problems));
    assert_true(problems.len > 0);
    buf_fini(&problems);
    buf_fini(&text);
}

static void test_missing_file(void **state) {
    struct buf problems;

    (void)state;
    buf_init(&problems);
    assert_null(config_load_file("/nonexistent/wslockd.yaml", gather, &problems));
    assert_string_equal(buf_cstr(&problems), "0 : No such file or directory\n");
    buf_reset(&problems);
    assert_null(config_load_file("/dev/null", gather, &problems)); /* empty */
    assert_memory_equal(buf_cstr(&problems), "1 listen: missing\n", 18);
    buf_reset(&problems);
    assert_null(config_load_file("/", gather, &problems));
    assert_string_equal(buf_cstr(&problems), "0 : Is a directory\n");
    buf_fini(&problems);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_documents),
        cmocka_unit_test(test_secrets_are_not_told),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
