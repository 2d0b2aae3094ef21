/* jws-check and wslockctl, as programs. */
#include "auth_support.h"

#include <fcntl.h>
#include <jansson.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "wslock/base/clock.h"

#define MAX_ARGS 24

struct run {
    struct fixture f;
    pid_t pid;
    int status;
    char *out, *err;
};

static void start(struct run *r, const char *program, const char *const *args, const char *input) {
    posix_spawn_file_actions_t actions;
    char *argv[MAX_ARGS + 2] = {(char *)(uintptr_t)program};
    char *in = write_file(&r->f, "stdin", input, strlen(input));
    char *out = path_in(&r->f, "stdout"), *err = path_in(&r->f, "stderr");

    for (size_t i = 0; args[i] != NULL; i++) {
        argv[i + 1] = (char *)(uintptr_t)args[i];
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, in, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(posix_spawn(&r->pid, program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    mem_free(in);
    mem_free(out);
    mem_free(err);
}

static char *slurp(const struct fixture *f, const char *name) {
    char *path = path_in(f, name), *text = mem_zalloc(65536);
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) < 65535);
    fclose(file);
    mem_free(path);
    return text;
}

static int finish(struct run *r) {
    int status;

    assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
    assert_true(WIFEXITED(status));
    mem_free(r->out);
    mem_free(r->err);
    r->out = slurp(&r->f, "stdout");
    r->err = slurp(&r->f, "stderr");
    return WEXITSTATUS(status);
}

#define RUN(r, program, input, ...)                                                                \
    (start((r), BUILD_DIR program, (const char *const[]){__VA_ARGS__, NULL}, (input)), finish(r))
#define CTL(r, ...) RUN(r, "/wslockctl", "", __VA_ARGS__)

static void run_init(struct run *r) {
    *r = (struct run){0};
    fixture_init(&r->f);
}

static void run_fini(struct run *r) {
    mem_free(r->out);
    mem_free(r->err);
    fixture_fini(&r->f);
}

static void test_jws_check(void **state) {
    const struct signer signer = {.alg = "HS256", .secret = {SECRET, 32}};
    static const char KEY[] = "{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":"
                              "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}\n";
    char *token = make_token(&signer, NULL, str_of("\xff not JSON"));
    struct buf input;
    struct run r;
    char *key;

    (void)state;
    run_init(&r);
    key = write_file(&r.f, "key", KEY, strlen(KEY));
    buf_init(&input);
    buf_append_str(&input, token);
    assert_int_equal(RUN(&r, "/tests/jws-check", buf_cstr(&input), "--jwk", key), 0);
    assert_string_equal(r.out, "");
    assert_string_equal(r.err, "");
    buf_append_char(&input, '\n');
    assert_int_equal(RUN(&r, "/tests/jws-check", buf_cstr(&input), "--jwk", key), 0);
    buf_append_char(&input, '\n');
    assert_int_equal(RUN(&r, "/tests/jws-check", buf_cstr(&input), "--jwk", key), 1);
    assert_true(strlen(r.err) > 0);
    assert_int_equal(RUN(&r, "/tests/jws-check", "", "--jwk", key), 1);
    assert_int_equal(RUN(&r, "/tests/jws-check", token, "--jwk", "/nonexistent"), 2);
    assert_int_equal(RUN(&r, "/tests/jws-check", token, "--jwk"), 2);
    assert_int_equal(RUN(&r, "/tests/jws-check", token, key), 2);
    mem_free(write_file(&r.f, "key", "{\"kty\":\"oct\",\"use\":\"enc\"}", 25));
    assert_int_equal(RUN(&r, "/tests/jws-check", token, "--jwk", key), 1);
    buf_fini(&input);
    mem_free(key);
    mem_free(token);
    run_fini(&r);
}

static void test_usage(void **state) {
    struct run r;

    (void)state;
    run_init(&r);
    assert_int_equal(CTL(&r, "--help"), 0);
    assert_non_null(strstr(r.out, "Usage: wslockctl"));
    assert_int_equal(CTL(&r, "--version"), 0);
    assert_non_null(strstr(r.out, "wslockctl "));
    assert_int_equal(CTL(&r, "--json"), 2);
    assert_non_null(strstr(r.err, "a command is needed: status, locks, "));
    assert_int_equal(CTL(&r, "tocken"), 2);
    assert_non_null(strstr(r.err, "unknown command: tocken; there are: status, locks, "));
    assert_int_equal(CTL(&r, "status", "--user", "x"), 2);
    assert_non_null(strstr(r.err, "status has no option --user"));
    assert_int_equal(CTL(&r, "status", "now"), 2);
    assert_int_equal(CTL(&r, "status", "--wrong"), 2);
    assert_int_equal(CTL(&r, "--config", "a", "--socket", "b", "status"), 2);
    assert_int_equal(CTL(&r, "token"), 2);
    assert_non_null(strstr(r.err, "--user"));
    assert_int_equal(CTL(&r, "token", "--user", "a", "--ttl", "5"), 2);
    assert_int_equal(CTL(&r, "token", "--user", "a", "--ttl", "999ms"), 2);
    assert_int_equal(CTL(&r, "token", "--user", "a", "--ttl", "366d"), 2);
    assert_int_equal(CTL(&r, "token", "--user", "a", "--ttl", "-1h"), 2);
    run_fini(&r);
}

/* The identity in the token on standard output, under the configuration of the fixture. */
static struct auth_identity *identity_of(struct run *r) {
    struct auth_identity *id = NULL;
    const char *why;
    size_t len = strlen(r->out);

    assert_true(len > 1 && r->out[len - 1] == '\n');
    fixture_load(&r->f);
    if (auth_verify(r->f.auth, (struct str){r->out, len - 1}, clock_wall_ms(), &id, &why) !=
        AUTH_OK) {
        fail_msg("%s: %s", why, r->out);
    }
    return id;
}

static void test_dev_token(void **state) {
    struct auth_identity *id;
    struct run r;
    char *key;

    (void)state;
    run_init(&r);
    assert_int_equal(CTL(&r, "--state-dir", r.f.dir, "token", "--user", "ann"), 1);
    assert_non_null(strstr(r.err, "wslockd --dev"));
    key = write_file(&r.f, "dev-key", SECRET, 43);
    assert_int_equal(chmod(key, 0600), 0);
    add_key(&r.f, "dev", "HS256", key);

    assert_int_equal(CTL(&r, "--state-dir", r.f.dir, "token", "--user", "ann"), 0);
    assert_string_equal(r.err, "");
    id = identity_of(&r);
    assert_string_equal(id->user_id, "ann");
    assert_string_equal(id->username, "ann");
    assert_int_equal(id->role_count, 0);
    assert_true(id->expires_unix_ms > clock_wall_ms() + 43100 * 1000);
    assert_true(id->expires_unix_ms <= clock_wall_ms() + 43201 * 1000);
    auth_identity_destroy(&id);

    assert_int_equal(CTL(&r, "token", "--user", "b", "--name", "Bö B", "--role", "x", "--admin",
                         "--role", "y", "--ttl", "2s", "--state-dir", r.f.dir),
                     0);
    r.f.config.default_policy.editor_roles = strings_of("x", "y");
    id = identity_of(&r);
    assert_string_equal(id->username, "Bö B");
    assert_int_equal(id->role_count, 3);
    assert_true(id->admin);
    assert_true(id->expires_unix_ms <= clock_wall_ms() + 3000);
    auth_identity_destroy(&id);

    assert_int_equal(CTL(&r, "--state-dir", r.f.dir, "token", "--user", "a\nb"), 1);
    assert_string_equal(r.out, "");
    assert_int_equal(CTL(&r, "--state-dir", r.f.dir, "token", "--user", ""), 2);
    assert_int_equal(CTL(&r, "--state-dir", r.f.dir, "token", "--user", "\xff"), 2);
    run_fini(&r);
}

/* Issuer, audience, kid, algorithm and places of the claims are those of the configuration. */
static void test_config_token(void **state) {
    static const char CONFIG[] = "listen: [{address: 127.0.0.1, port: 0, plaintext: true}]\n"
                                 "auth:\n"
                                 "  issuer: me\n"
                                 "  audience: [x, y]\n"
                                 "  algorithms: [HS512]\n"
                                 "  keys: [{kid: k7, alg: HS512, secretFile: %s}]\n"
                                 "  claims: {userId: /u/id, username: /u/name, roles: /r~1s}\n"
                                 "  adminRoles: [boss]\n";
    struct auth_identity *id;
    struct buf text;
    struct run r;
    char *config;

    (void)state;
    run_init(&r);
    add_key(&r.f, "k7", "HS512", write_file(&r.f, "key", SECRET, 64));
    buf_init(&text);
    buf_printf(&text, CONFIG, r.f.keys[0].secret_file);
    config = write_file(&r.f, "wslockd.yaml", text.data, text.len);
    assert_int_equal(
        CTL(&r, "--config", config, "token", "--user", "ann", "--name", "Ann", "--admin"), 0);

    r.f.config.auth.issuer = mem_strdup("me");
    r.f.config.auth.audience = strings_of("x", NULL);
    free_strings(&r.f.config.auth.admin_roles);
    r.f.config.auth.admin_roles = strings_of("boss", NULL);
    mem_free(r.f.config.auth.claim_user_id);
    mem_free(r.f.config.auth.claim_username);
    mem_free(r.f.config.auth.claim_roles);
    r.f.config.auth.claim_user_id = mem_strdup("/u/id");
    r.f.config.auth.claim_username = mem_strdup("/u/name");
    r.f.config.auth.claim_roles = mem_strdup("/r~1s");
    id = identity_of(&r);
    assert_string_equal(id->user_id, "ann");
    assert_string_equal(id->username, "Ann");
    assert_string_equal(id->roles[0], "boss");
    auth_identity_destroy(&id);

    assert_int_equal(CTL(&r, "--config", "/nonexistent.yaml", "token", "--user", "a"), 1);
    assert_int_equal(unlink(r.f.keys[0].secret_file), 0);
    assert_int_equal(CTL(&r, "--config", config, "token", "--user", "a"), 1);
    assert_non_null(strstr(r.err, "No such file"));
    buf_fini(&text);
    mem_free(config);
    run_fini(&r);
}

/* A unix socket that answers one request a connection with what it is told. */
static int listen_at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {20, 0};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void answer_bytes(int listener, const char *path, struct str response) {
    char request[1024] = "", expected[128];
    int fd = accept(listener, NULL, NULL);
    size_t len = 0;

    assert_true(fd >= 0);
    while (strstr(request, "\r\n\r\n") == NULL) {
        ssize_t n = recv(fd, request + len, sizeof request - 1 - len, 0);

        assert_true(n > 0);
        len += (size_t)n;
    }
    (void)snprintf(expected, sizeof expected, "GET %s HTTP/1.1\r\nHost: localhost\r\n", path);
    assert_int_equal(strncmp(request, expected, strlen(expected)), 0);
    assert_int_equal(send(fd, response.p, response.len, MSG_NOSIGNAL), response.len);
    close(fd);
}

static void answer(int listener, const char *path, const char *response) {
    answer_bytes(listener, path, str_of(response));
}

static const char READY[] = "HTTP/1.1 200 OK\r\ncontent-length: 42\r\n\r\n"
                            "{\"ready\":true,\"reasons\":[],\"instance\":\"g\"}";
static const char NOT_READY[] = "HTTP/1.1 503 Service Unavailable\r\nX-A: b\r\n\r\n"
                                "{\"ready\":false,\"reasons\":[\"draining\",\"store away\"]}";
static const char METRICS[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
                              "# HELP wslock_locks Locks\n# TYPE wslock_locks gauge\n"
                              "wslock_locks{type=\"a\",state=\"held\"} 2\n"
                              "wslock_locks{type=\"b}\\\"\",state=\"held\"} 3\n"
                              "wslock_locks{type=\"a\",state=\"grace\"} 1\n"
                              "wslock_locks_other{type=\"a\",state=\"held\"} 100\n"
                              "wslock_build_info{version=\"9.9\"} 1\n"
                              "wslock_connections{framing=\"native\"} 7\n"
                              "wslock_store_up 1\n";

static void test_status(void **state) {
    struct run r;
    char *path;
    int listener;
    json_t *json;

    (void)state;
    run_init(&r);
    path = path_in(&r.f, "ops.sock");
    assert_int_equal(CTL(&r, "--socket", path, "status"), 3);
    assert_non_null(strstr(r.err, path));
    listener = listen_at(path);

    start(&r, BUILD_DIR "/wslockctl", (const char *const[]){"--socket", path, "status", NULL}, "");
    answer(listener, "/readyz", READY);
    answer(listener, "/metrics", METRICS);
    assert_int_equal(finish(&r), 0);
    assert_string_equal(r.out, "instance     g\n"
                               "version      9.9\n"
                               "ready        yes\n"
                               "store        up\n"
                               "connections  7 (native 7)\n"
                               "locks        6 (held 5, grace 1)\n");

    start(&r, BUILD_DIR "/wslockctl",
          (const char *const[]){"status", "--json", "--state-dir", r.f.dir, NULL}, "");
    answer(listener, "/readyz", NOT_READY);
    answer(listener, "/metrics", METRICS);
    assert_int_equal(finish(&r), 1);
    json = json_loads(r.out, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_false(json_object_get(json, "ready")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "reasons"), 1)),
                        "store away");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "locks"), "held")),
                     5);
    assert_true(json_is_true(json_object_get(json, "storeUp")));
    json_decref(json);

    close(listener);
    mem_free(path);
    run_fini(&r);
}

/* Whatever stands at the socket instead of the daemon: exit 3 if it is no HTTP, 1 if it is, and a
 * line that says so. */
static void test_strange_answers(void **state) {
    static const struct {
        const char *text;
        int exit_code;
    } STRANGE[] = {
        {"", 3},
        {"SSH-2.0-OpenSSH\r\n", 3},
        {"HTTP/1.1 404 Not Found\r\n\r\n", 1},
        {"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{}", 3},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 1},
        {"HTTP/1.1 200 OK\r\n\r\nnot JSON", 1},
        {"HTTP/1.1 2x0 OK\r\n\r\n{}", 3},
    };
    static const char NUL[] = "HTTP/1.1 200 OK\r\n\r\n{\"ready\":true\0,\"reasons\":[]}";
    struct run r;
    char *path;
    int listener;

    (void)state;
    run_init(&r);
    path = path_in(&r.f, "ops.sock");
    listener = listen_at(path);
    for (size_t i = 0; i < ARRAY_LEN(STRANGE); i++) {
        start(&r, BUILD_DIR "/wslockctl", (const char *const[]){"--socket", path, "status", NULL},
              "");
        answer(listener, "/readyz", STRANGE[i].text);
        if (STRANGE[i].exit_code == 1 && strstr(STRANGE[i].text, "200 OK") != NULL) {
            answer(listener, "/metrics", METRICS);
        }
        assert_int_equal(finish(&r), STRANGE[i].exit_code);
        assert_string_equal(r.out, "");
        assert_non_null(strstr(r.err, "wslockctl: "));
    }
    /* A NUL byte, which jansson reads over. */
    start(&r, BUILD_DIR "/wslockctl", (const char *const[]){"--socket", path, "status", NULL}, "");
    answer_bytes(listener, "/readyz", (struct str){NUL, sizeof NUL - 1});
    answer(listener, "/metrics", METRICS);
    assert_int_equal(finish(&r), 1);
    assert_string_equal(r.err, "wslockctl: /readyz did not answer as wslockd does\n");
    close(listener);
    mem_free(path);
    run_fini(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jws_check), cmocka_unit_test(test_usage),
        cmocka_unit_test(test_dev_token), cmocka_unit_test(test_config_token),
        cmocka_unit_test(test_status),    cmocka_unit_test(test_strange_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
