/*
 * The private Redis server of a daemon. Two locks ensure that a directory has one server. The
 * daemon that uses the directory holds daemon.lock. The server inherits the descriptor of
 * redis.lock: that lock is held while the server, a child that it forked, or the daemon lives. Thus
 * a daemon finds a server that a killed daemon left, and starts its own when the other has ended.
 * PR_SET_PDEATHSIG sends SIGTERM to the old server; if it does not end, redis.pid has its process
 * id.
 */
#include "wslock/redis/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "embedded_child.h"

#include "wslock/base/buf.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"

#define LEFTOVER_POLL_MS 50
#define LEFTOVER_PATIENCE_MS 5000 /* then SIGTERM; after as long again, SIGKILL */
#define RESTART_MIN_MS 100
#define RESTART_MAX_MS 5000
#define STABLE_AFTER_MS                                                                            \
    10000 /* a server that ran this long is restarted after the shortest pause */
#define STOP_PATIENCE_MS 5000

struct redis_embedded {
    uv_loop_t *loop;
    char *program, *directory;
    char *socket, *lock_file, *pid_file;
    int daemon_lock, server_lock; /* descriptors; server_lock is -1 until locked */
    pid_t pid;                    /* 0: none runs */
    uint64_t started_ms, pause_ms;
    uint64_t waiting_since_ms; /* for a leftover server; 0: not yet */
    int leftover_signal;       /* the last signal sent to it */
    uv_signal_t child;
    uv_timer_t timer; /* the next look at the lock, or the next start */
    int open_handles;
};

static void on_timer(uv_timer_t *timer);

/* The first server program in PATH, then in the usual places; NULL if there is none. Heap. */
static char *find_program(void) {
    static const char *const names[] = {"redis-server", "valkey-server"};
    const char *path = getenv("PATH");
    char *dirs = mem_printf("%s:/usr/bin:/usr/local/bin:/usr/sbin", path != NULL ? path : "");
    char *save = NULL, *found = NULL;

    for (char *dir = strtok_r(dirs, ":", &save); dir != NULL && found == NULL;
         dir = strtok_r(NULL, ":", &save)) {
        for (size_t i = 0; i < ARRAY_LEN(names) && found == NULL; i++) {
            found = mem_printf("%s/%s", dir, names[i]);
            if (access(found, X_OK) != 0) {
                mem_free(found);
                found = NULL;
            }
        }
    }
    mem_free(dirs);
    return found;
}

static bool make_directories(const char *path) {
    char *copy = mem_strdup(path);
    bool ok = true;

    for (char *slash = strchr(copy + 1, '/'); slash != NULL && ok; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ok = mkdir(copy, 0700) == 0 || errno == EEXIST;
        *slash = '/';
    }
    ok = ok && (mkdir(copy, 0700) == 0 || errno == EEXIST);
    mem_free(copy);
    return ok;
}

/* A descriptor with the lock, or -1 (errno EWOULDBLOCK: someone else has it). */
static int take_lock(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* ---- a server left by an earlier daemon ---- */

/* Reads a small file; false if it cannot. The text is NUL-terminated. */
static bool read_small(const char *path, char *out, size_t size, size_t *len) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) {
        return false;
    }
    n = read(fd, out, size - 1);
    close(fd);
    *len = n > 0 ? (size_t)n : 0;
    out[*len] = '\0';
    return n >= 0;
}

/* The process that redis.pid names, if it is a server on our socket (Redis shows it in its title).
 */
static pid_t find_leftover(const struct redis_embedded *e) {
    char text[4096], path[64];
    size_t len;
    long pid;

    if (!read_small(e->pid_file, text, sizeof text, &len)) {
        return 0;
    }
    pid = strtol(text, NULL, 10);
    snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
    if (pid <= 1 || !read_small(path, text, sizeof text, &len) ||
        memmem(text, len, e->socket, strlen(e->socket)) == NULL) {
        return 0;
    }
    return (pid_t)pid;
}

static void wait_for_leftover(struct redis_embedded *e) {
    uint64_t now = uv_now(e->loop);
    int sig = 0;
    pid_t pid;

    uv_timer_start(&e->timer, on_timer, LEFTOVER_POLL_MS, 0);
    if (e->waiting_since_ms == 0) {
        e->waiting_since_ms = now;
        log_info("embedded_redis_leftover", LF("directory", e->directory));
    }
    if (now - e->waiting_since_ms >= 2 * LEFTOVER_PATIENCE_MS) {
        sig = SIGKILL;
    } else if (now - e->waiting_since_ms >= LEFTOVER_PATIENCE_MS) {
        sig = SIGTERM;
    }
    pid = sig != e->leftover_signal ? find_leftover(e) : 0;
    if (pid != 0) {
        e->leftover_signal = sig;
        log_warn("embedded_redis_leftover_signalled", LFI("pid", pid), LFI("signal", sig));
        kill(pid, sig);
    }
}

/* ---- the child ---- */

static void write_pid(const struct redis_embedded *e) {
    char text[32];
    int len = snprintf(text, sizeof text, "%ld\n", (long)e->pid);
    int fd = open(e->pid_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, (size_t)len) != len) {
        log_warn("embedded_redis_pid_file", LF("path", e->pid_file), LF("error", strerror(errno)));
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void start_later(struct redis_embedded *e) {
    uv_timer_start(&e->timer, on_timer, e->pause_ms, 0);
    e->pause_ms = e->pause_ms * 2 > RESTART_MAX_MS ? RESTART_MAX_MS : e->pause_ms * 2;
}

static void start_child(struct redis_embedded *e) {
    char *log_file = mem_printf("%s/redis.log", e->directory);
    char *const argv[] = {
        e->program,   "--port",
        "0",          "--unixsocket",
        e->socket,    "--unixsocketperm",
        "700",        "--dir",
        e->directory, "--appendonly",
        "yes",        "--appendfsync",
        "everysec",   "--save",
        "",           "--maxmemory-policy",
        "noeviction", "--repl-backlog-ttl",
        "0",          "--daemonize",
        "no",         "--logfile",
        log_file,     "--loglevel",
        "notice",     NULL,
    };

    e->pid = embedded_child_spawn(e->program, argv, e->server_lock);
    mem_free(log_file);
    e->started_ms = uv_now(e->loop);
    if (e->pid < 0) {
        log_error("embedded_redis_start", LF("error", strerror(errno)));
        e->pid = 0;
        start_later(e);
        return;
    }
    write_pid(e);
    log_info("embedded_redis_started", LFI("pid", e->pid), LF("socket", e->socket));
}

static void on_timer(uv_timer_t *timer) {
    struct redis_embedded *e = timer->data;

    if (e->server_lock < 0) {
        e->server_lock = take_lock(e->lock_file);
    }
    if (e->server_lock < 0) {
        wait_for_leftover(e);
    } else {
        start_child(e);
    }
}

static void on_sigchld(uv_signal_t *handle, int sig) {
    struct redis_embedded *e = handle->data;
    int status;

    (void)sig;
    if (e->pid == 0 || waitpid(e->pid, &status, WNOHANG) != e->pid) {
        return;
    }
    log_warn("embedded_redis_ended", LFI("pid", e->pid),
             LFI("exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
             LFI("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
    e->pid = 0;
    if (uv_now(e->loop) - e->started_ms >= STABLE_AFTER_MS) {
        e->pause_ms = RESTART_MIN_MS;
    }
    start_later(e);
}

/* ---- life ---- */

static void free_parts(struct redis_embedded *e) {
    if (e->server_lock >= 0) {
        close(e->server_lock);
    }
    if (e->daemon_lock >= 0) {
        close(e->daemon_lock);
    }
    mem_free(e->program);
    mem_free(e->directory);
    mem_free(e->socket);
    mem_free(e->lock_file);
    mem_free(e->pid_file);
    mem_free(e);
}

static char *missing_program(void) {
    return mem_printf("redis.embedded: neither redis-server nor valkey-server is installed");
}

static bool fits_socket(const char *path) {
    return strlen(path) < sizeof((struct sockaddr_un *)NULL)->sun_path;
}

static char *long_path(const char *path) {
    return mem_printf("redis.embedded: the path %s is too long for a socket", path);
}

bool redis_embedded_check(const char *directory, char **problem) {
    char *program = find_program();
    char *socket = mem_printf("%s/redis.sock", directory);

    *problem = program == NULL ? missing_program() : fits_socket(socket) ? NULL : long_path(socket);
    mem_free(program);
    mem_free(socket);
    return *problem == NULL;
}

/* Fills the paths and takes daemon.lock. NULL, or the problem (heap). */
static char *prepare(struct redis_embedded *e, const char *directory) {
    char *daemon_file, *problem = NULL;

    e->program = find_program();
    if (e->program == NULL) {
        return missing_program();
    }
    if (!make_directories(directory) || (e->directory = realpath(directory, NULL)) == NULL) {
        return mem_printf("redis.embedded: cannot create the directory %s: %s", directory,
                          strerror(errno));
    }
    e->socket = mem_printf("%s/redis.sock", e->directory);
    e->lock_file = mem_printf("%s/redis.lock", e->directory);
    e->pid_file = mem_printf("%s/redis.pid", e->directory);
    if (!fits_socket(e->socket)) {
        return long_path(e->socket);
    }
    daemon_file = mem_printf("%s/daemon.lock", e->directory);
    e->daemon_lock = take_lock(daemon_file);
    if (e->daemon_lock < 0) {
        problem = errno == EWOULDBLOCK
                      ? mem_printf("redis.embedded: %s is in use by another daemon", e->directory)
                      : mem_printf("redis.embedded: %s: %s", daemon_file, strerror(errno));
    }
    mem_free(daemon_file);
    return problem;
}

struct redis_embedded *redis_embedded_start(uv_loop_t *loop, const char *directory,
                                            char **problem) {
    struct redis_embedded *e = mem_zalloc(sizeof *e);

    e->loop = loop;
    e->daemon_lock = e->server_lock = -1;
    e->pause_ms = RESTART_MIN_MS;
    *problem = prepare(e, directory);
    if (*problem != NULL) {
        free_parts(e);
        return NULL;
    }
    uv_signal_init(loop, &e->child);
    uv_timer_init(loop, &e->timer);
    e->child.data = e->timer.data = e;
    e->open_handles = 2;
    uv_signal_start(&e->child, on_sigchld, SIGCHLD);
    on_timer(&e->timer);
    return e;
}

const char *redis_embedded_socket(const struct redis_embedded *e) {
    return e->socket;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct redis_embedded *e = handle->data;

    if (--e->open_handles == 0) {
        free_parts(e);
    }
}

void redis_embedded_stop(struct redis_embedded **ep) {
    struct redis_embedded *e = *ep;

    if (e == NULL) {
        return;
    }
    *ep = NULL;
    if (e->pid != 0 && !embedded_child_end(e->pid, STOP_PATIENCE_MS)) {
        log_warn("embedded_redis_killed", LFI("pid", e->pid));
    }
    e->pid = 0;
    uv_close((uv_handle_t *)&e->child, on_handle_closed);
    uv_close((uv_handle_t *)&e->timer, on_handle_closed);
}
