#include "redis_server.h"

#include <dirent.h>

#include "wslock/redis/embedded.h"
#include "wslock/redis/link.h"

struct fixture {
    char parent[64], directory[96];
    uv_loop_t loop;
    struct config config;
    struct redis_link *link;
    int up;
};

static void on_up(void *ctx) {
    (*(int *)ctx)++;
}
static void on_other(void *ctx, const char *reason) {
    (void)ctx;
    (void)reason;
}

static struct redis_embedded *start(struct fixture *f) {
    char *problem = NULL;
    struct redis_embedded *e = redis_embedded_start(&f->loop, f->directory, &problem);

    assert_null(problem);
    assert_non_null(e);
    return e;
}

static void connect_link(struct fixture *f, const struct redis_embedded *e) {
    const struct redis_link_callbacks callbacks = {on_up, on_other, on_other, &f->up};

    f->config.redis.command_timeout_ms = 2000;
    f->config.redis.unix_path = (char *)(uintptr_t)redis_embedded_socket(e);
    f->link = redis_link_create(&f->loop, &f->config, "test", &callbacks);
}

struct answer {
    bool done;
    char text[128];
};

static void on_answer(void *arg, enum redis_status status, const struct redis_reply *reply,
                      const char *error) {
    struct answer *a = arg;
    struct str s;

    (void)error;
    a->done = true;
    if (status == REDIS_OK && redis_reply_str(reply, &s)) {
        snprintf(a->text, sizeof a->text, "%.*s", (int)s.len, s.p);
    }
}

static void ask(struct fixture *f, struct answer *a, const char *w1, const char *w2,
                const char *w3) {
    const struct str argv[] = {str_of(w1), str_of(w2), str_of(w3)};

    memset(a, 0, sizeof *a);
    redis_link_command(f->link, w3 != NULL ? 3 : 2, argv, 2000, on_answer, a);
    RUN_UNTIL(&f->loop, a->done);
}

static pid_t pid_in(const struct fixture *f) {
    char path[128];
    long pid = 0;
    FILE *file;

    snprintf(path, sizeof path, "%s/redis.pid", f->directory);
    file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%ld", &pid) != 1) {
            pid = 0;
        }
        fclose(file);
    }
    return (pid_t)pid;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);

    snprintf(f->parent, sizeof f->parent, "/tmp/wslock-test-XXXXXX");
    assert_non_null(mkdtemp(f->parent));
    snprintf(f->directory, sizeof f->directory, "%s/state/redis", f->parent);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char command[128];

    redis_link_destroy(&f->link);
    redis_server_close_loop(&f->loop);
    snprintf(command, sizeof command, "rm -rf '%s'", f->parent);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static void keeps_data_over_a_restart(void **state) {
    struct fixture *f = *state;
    struct redis_embedded *e = start(f);
    struct answer a;

    connect_link(f, e);
    RUN_UNTIL(&f->loop, f->up == 1);
    ask(f, &a, "SET", "k", "v");
    assert_string_equal(a.text, "OK");
    redis_embedded_stop(&e);
    assert_null(e);
    RUN_UNTIL(&f->loop, !redis_link_is_up(f->link));
    assert_int_equal(kill(pid_in(f), 0), -1);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    e = start(f);
    f->config.redis.unix_path = (char *)(uintptr_t)redis_embedded_socket(e);
    RUN_UNTIL(&f->loop, f->up == 2);
    ask(f, &a, "GET", "k", NULL);
    assert_string_equal(a.text, "v");
    redis_embedded_stop(&e);
}

static void a_killed_server_is_started_again(void **state) {
    struct fixture *f = *state;
    struct redis_embedded *e = start(f);
    struct answer a;
    pid_t first;

    connect_link(f, e);
    RUN_UNTIL(&f->loop, f->up == 1);
    ask(f, &a, "SET", "k", "v");
    first = pid_in(f);
    assert_int_equal(kill(first, SIGKILL), 0);
    RUN_UNTIL(&f->loop, f->up == 2);
    assert_int_not_equal(pid_in(f), first);
    ask(f, &a, "GET", "k", NULL);
    assert_string_equal(a.text, "v");
    ask(f, &a, "CONFIG", "GET", "maxmemory-policy");
    redis_embedded_stop(&e);
}

static void one_directory_has_one_daemon(void **state) {
    struct fixture *f = *state;
    struct redis_embedded *e = start(f), *second;
    char *problem = NULL;

    second = redis_embedded_start(&f->loop, f->directory, &problem);
    assert_null(second);
    assert_non_null(strstr(problem, "in use"));
    free(problem);
    redis_embedded_stop(&e);
}

/* A daemon that is killed takes its server with it, and the next one waits until it has gone. */
static void a_killed_daemon_leaves_nothing(void **state) {
    struct fixture *f = *state;
    struct redis_embedded *e;
    pid_t daemon, leftover = 0;
    char answer[64];
    struct redis_server look = {0};

    snprintf(look.socket, sizeof look.socket, "%.64s/redis.sock", f->directory);
    daemon = fork();
    if (daemon == 0) { /* only what a daemon does; the parent's loop is not touched */
        uv_loop_t loop;

        uv_loop_init(&loop);
        f->link = NULL;
        char *problem = NULL;
        if (redis_embedded_start(&loop, f->directory, &problem) == NULL) {
            _exit(1);
        }
        uv_run(&loop, UV_RUN_DEFAULT);
        _exit(0);
    }
    for (int i = 0; i < 500 && !redis_server_ask(&look, "PING", answer, sizeof answer); i++) {
        redis_server_nap(10);
    }
    leftover = pid_in(f);
    assert_true(leftover > 0);
    kill(leftover, SIGSTOP); /* it cannot go at once */
    kill(daemon, SIGKILL);
    waitpid(daemon, NULL, 0);
    e = start(f);
    for (int i = 0; i < 30; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        redis_server_nap(10);
    }
    assert_int_equal(pid_in(f), leftover); /* none beside it */
    kill(leftover, SIGCONT);               /* the signal of our death waits for it */
    RUN_UNTIL(&f->loop, pid_in(f) != leftover);
    connect_link(f, e);
    RUN_UNTIL(&f->loop, f->up == 1);
    redis_embedded_stop(&e);
}

static void a_path_too_long_is_a_problem(void **state) {
    struct fixture *f = *state;
    char *problem = NULL, path[256];

    snprintf(path, sizeof path, "%s/%0100d", f->parent, 0);
    assert_null(redis_embedded_start(&f->loop, path, &problem));
    assert_non_null(strstr(problem, "too long"));
    free(problem);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_data_over_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_killed_server_is_started_again, setup, teardown),
        cmocka_unit_test_setup_teardown(one_directory_has_one_daemon, setup, teardown),
        cmocka_unit_test_setup_teardown(a_killed_daemon_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_path_too_long_is_a_problem, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
