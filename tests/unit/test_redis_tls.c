/* TLS to Redis: where it is built in, whose certificate counts; where it is not, that it says so.
 */
#include "redis_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "wslock/redis/link.h"

#ifdef WSLOCK_REDIS_TLS
static const bool HAS_TLS = true;
#else
static const bool HAS_TLS = false;
#endif

struct fixture {
    struct redis_server server;
    uv_loop_t loop;
    struct config config;
    char ca[128], other_ca[128];
    int up, failed;
    char reason[256];
};

static void on_up(void *ctx) {
    ((struct fixture *)ctx)->up++;
}
static void on_down(void *ctx, const char *reason) {
    (void)ctx;
    (void)reason;
}
static void on_fail(void *ctx, const char *reason) {
    struct fixture *f = ctx;

    f->failed++;
    snprintf(f->reason, sizeof f->reason, "%s", reason);
}

static void run(const char *command) {
    if (system(command) != 0) {
        fail_msg("failed: %s", command);
    }
}

static int free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* A self-signed certificate is its own authority. */
static void make_certificate(const char *dir, const char *name, const char *subject) {
    char command[512];

    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=%s -addext subjectAltName=%s -keyout %s/%s.key -out %s/%s.crt 2>/dev/null",
             name, subject, dir, name, dir, name);
    run(command);
}

static void start_server(struct fixture *f, const char *name, const char *auth_clients) {
    char certificate[128], key[128], port[16];
    const char *const options[] = {"--tls-port",
                                   port,
                                   "--tls-cert-file",
                                   certificate,
                                   "--tls-key-file",
                                   key,
                                   "--tls-ca-cert-file",
                                   certificate,
                                   "--tls-auth-clients",
                                   auth_clients,
                                   NULL};

    f->config.redis.port = free_port();
    snprintf(port, sizeof port, "%d", f->config.redis.port);
    snprintf(certificate, sizeof certificate, "%s/%s.crt", f->server.dir, name);
    snprintf(key, sizeof key, "%s/%s.key", f->server.dir, name);
    redis_server_start(&f->server, options);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);

    redis_server_init(&f->server);
    make_certificate(f->server.dir, "local", "IP:127.0.0.1,DNS:localhost");
    make_certificate(f->server.dir, "elsewhere", "DNS:redis.example");
    snprintf(f->ca, sizeof f->ca, "%s/local.crt", f->server.dir);
    snprintf(f->other_ca, sizeof f->other_ca, "%s/elsewhere.crt", f->server.dir);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->config.redis.command_timeout_ms = 2000;
    f->config.redis.use_tls = true;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;

    redis_server_close_loop(&f->loop);
    redis_server_fini(&f->server);
    free(f);
    return 0;
}

/* Connects until it is decided how that goes. False: no TLS in this build, and it said so. */
static bool try_to_connect(struct fixture *f, const char *host, char *ca) {
    const struct redis_link_callbacks callbacks = {on_up, on_down, on_fail, f};
    struct redis_link *link;

    f->up = f->failed = 0;
    f->config.redis.host = (char *)(uintptr_t)host;
    f->config.redis.tls_ca_file = ca;
    link = redis_link_create(&f->loop, &f->config, "test", &callbacks);
    RUN_UNTIL(&f->loop, f->up > 0 || f->failed > 0);
    redis_link_destroy(&link);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(f->up == 0 && strstr(f->reason, "without TLS") != NULL, !HAS_TLS);
    return HAS_TLS;
}

static void the_right_server_is_believed(void **state) {
    struct fixture *f = *state;

    start_server(f, "local", "no");
    if (try_to_connect(f, "127.0.0.1", f->ca)) {
        assert_int_equal(f->up, 1);
        assert_true(try_to_connect(f, "localhost", f->ca));
        assert_int_equal(f->up, 1);
    }
}

static void another_authority_is_not(void **state) {
    struct fixture *f = *state;

    start_server(f, "local", "no");
    if (try_to_connect(f, "127.0.0.1", f->other_ca)) {
        assert_int_equal(f->up, 0);
        assert_non_null(strstr(f->reason, "certificate"));
    }
}

static void another_name_is_not(void **state) {
    struct fixture *f = *state;

    start_server(f, "elsewhere", "no");
    if (try_to_connect(f, "127.0.0.1", f->other_ca)) {
        assert_int_equal(f->up, 0);
        assert_non_null(strstr(f->reason, "mismatch"));
    }
    if (try_to_connect(f, "localhost", f->other_ca)) {
        assert_int_equal(f->up, 0);
        assert_non_null(strstr(f->reason, "mismatch"));
    }
}

/* Its alert may be lost, for it resets the connection behind it; then the reason names the key. */
static void a_server_that_wants_a_certificate_refuses(void **state) {
    struct fixture *f = *state;

    start_server(f, "local", "yes");
    if (try_to_connect(f, "127.0.0.1", f->ca)) {
        assert_int_equal(f->up, 0);
        if (strstr(f->reason, "TLS alert 116 (certificate required)") == NULL) {
            assert_non_null(strstr(f->reason, "may have refused redis.tls.certificate"));
        }
    }
}

static void a_missing_file_is_named(void **state) {
    struct fixture *f = *state;

    f->config.redis.port = free_port();
    if (try_to_connect(f, "127.0.0.1", (char *)(uintptr_t) "/nonexistent/ca.pem")) {
        assert_non_null(strstr(f->reason, "/nonexistent/ca.pem"));
    }
}

static void keep_finding(void *ctx, const char *finding) {
    buf_printf(ctx, "%s\n", finding);
}

/* What a connection would fail of for ever is found without one, at the key of the file. */
static void expect_finding(struct fixture *f, const char *key, const char *path) {
    bool good = key == NULL;
    struct buf found;

    buf_init(&found);
    assert_int_equal(redis_link_check(&f->config, keep_finding, &found), good);
    if (!good && strstr(buf_cstr(&found), "without TLS") != NULL) {
        assert_int_equal(strncmp(found.data, "redis.tls: ", 11), 0);
    } else if (!good) {
        assert_int_equal(strncmp(buf_cstr(&found), key, strlen(key)), 0);
        assert_non_null(strstr(found.data, path));
    }
    buf_fini(&found);
}

static void files_are_checked_without_connecting(void **state) {
    struct fixture *f = *state;
    char key[128], other_key[128], fifo[128], none[] = "/nonexistent/file.pem";

    snprintf(key, sizeof key, "%s/local.key", f->server.dir);
    snprintf(other_key, sizeof other_key, "%s/elsewhere.key", f->server.dir);
    f->config.redis.tls_ca_file = none;
    expect_finding(f, "redis.tls.ca: ", none);
    f->config.redis.tls_ca_file = f->ca;
    f->config.redis.tls_certificate_file = none;
    f->config.redis.tls_key_file = key;
    expect_finding(f, "redis.tls.certificate: ", none);
    f->config.redis.tls_certificate_file = f->ca;
    f->config.redis.tls_key_file = none;
    expect_finding(f, "redis.tls.key: ", none);
    f->config.redis.tls_key_file = other_key;
    expect_finding(f, "redis.tls.key: ", other_key);
    snprintf(fifo, sizeof fifo, "%s/fifo", f->server.dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    f->config.redis.tls_key_file = fifo;
    expect_finding(f, "redis.tls.key: ", fifo);
    f->config.redis.tls_certificate_file = fifo;
    expect_finding(f, "redis.tls.certificate: ", fifo);
    f->config.redis.tls_ca_file = fifo;
    expect_finding(f, "redis.tls.ca: ", fifo);
    f->config.redis.use_tls = false;
    expect_finding(f, NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_right_server_is_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(another_authority_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(another_name_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_wants_a_certificate_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_checked_without_connecting, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
