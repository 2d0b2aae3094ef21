/* A redis-server (or what WSLOCK_TEST_REDIS names, such as valkey-server) of the test's own, on a
 * unix socket in a directory of its own. */
#ifndef WSLOCK_TESTS_UNIT_REDIS_SERVER_H
#define WSLOCK_TESTS_UNIT_REDIS_SERVER_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

struct redis_server {
    pid_t pid; /* 0: not running */
    char dir[64];
    char socket[96];
};

static inline void redis_server_nap(long ms) {
    const struct timespec t = {ms / 1000, (ms % 1000) * 1000000};

    nanosleep(&t, NULL);
}

static inline void redis_server_init(struct redis_server *s) {
    signal(SIGPIPE, SIG_IGN); /* as the program does: hiredis writes to sockets that were closed */
    memset(s, 0, sizeof *s);
    snprintf(s->dir, sizeof s->dir, "/tmp/wslock-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->socket, sizeof s->socket, "%s/redis.sock", s->dir);
}

/* One inline command, its answer as it comes; for set-up and for looking at the store from outside.
 */
static inline bool redis_server_ask(const struct redis_server *s, const char *command, char *answer,
                                    size_t size) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t n = -1;

    snprintf(address.sun_path, sizeof address.sun_path, "%s", s->socket);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        write(fd, command, strlen(command)) == (ssize_t)strlen(command) &&
        write(fd, "\r\n", 2) == 2) {
        n = read(fd, answer, size - 1);
    }
    close(fd);
    answer[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Starts it and waits until it answers (also with an error: it may want a password). Options: pairs
 * of
 * `--name`, `value`, ended by NULL; may be NULL. Starting again uses the same directory. */
static inline void redis_server_start(struct redis_server *s, const char *const *options) {
    const char *other = getenv("WSLOCK_TEST_REDIS");
    const char *argv[40] = {
        other != NULL ? other : "redis-server",
        "--port",
        "0",
        "--unixsocket",
        s->socket,
        "--dir",
        s->dir,
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync", /* so that a write never waits for the disk: what was */
        "no",            /* answered outlives SIGKILL */
        "--logfile",
        "redis.log",
        "--maxmemory-policy",
        "noeviction"};
    char answer[256] = "";
    size_t n = 17;

    for (; options != NULL && *options != NULL; options++) {
        argv[n++] = *options;
    }
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    for (int i = 0; i < 1000; i++) {
        if (redis_server_ask(s, "PING", answer, sizeof answer) &&
            strncmp(answer, "-LOADING", 8) != 0) {
            return;
        }
        redis_server_nap(10);
    }
    fail_msg("redis-server does not answer");
}

static inline void redis_server_kill(struct redis_server *s, int sig) {
    if (s->pid > 0) {
        kill(s->pid, sig);
        waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
}

static inline void redis_server_fini(struct redis_server *s) {
    char command[128];

    redis_server_kill(s, SIGKILL);
    snprintf(command, sizeof command, "rm -rf '%s'", s->dir);
    assert_int_equal(system(command), 0);
}

/* Runs the loop until the condition holds; the limit only bounds a failure. */
#define EVENT_WAIT_MS 30000
#define RUN_UNTIL(loop, condition)                                                                 \
    do {                                                                                           \
        uint64_t end_ = uv_hrtime() + (uint64_t)EVENT_WAIT_MS * 1000000;                           \
        uv_timer_t tick_;                                                                          \
        uv_timer_init((loop), &tick_);                                                             \
        uv_timer_start(&tick_, redis_server_tick, 5, 5);                                           \
        while (!(condition) && uv_hrtime() < end_) {                                               \
            uv_run((loop), UV_RUN_ONCE);                                                           \
        }                                                                                          \
        uv_close((uv_handle_t *)&tick_, NULL);                                                     \
        uv_run((loop), UV_RUN_NOWAIT);                                                             \
        assert_true(condition);                                                                    \
    } while (0)

static inline void redis_server_tick(uv_timer_t *t) {
    (void)t;
}

/* Lets everything that is closing close, then the loop. */
static inline void redis_server_close_loop(uv_loop_t *loop) {
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

#endif
