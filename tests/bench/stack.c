#include "stack.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "process.h"
#include "report.h"

#define START_MS 30000
#define POLL_US 5000

static const char CONFIG[] = "listen:\n"
                             "  - {address: 127.0.0.1, port: %u, %s}\n"
                             "ops: {address: 127.0.0.1, port: %u, socket: %s/ops-%u.sock}\n"
                             "auth:\n"
                             "  algorithms: [HS256, ES256]\n"
                             "  keys:\n"
                             "    - {kid: hs, alg: HS256, secretFile: %s/hs256}\n"
                             "    - {kid: es, alg: ES256, publicKeyFile: %s/es256.pem}\n"
                             "redis: {url: \"unix:%s\"}\n"
                             "instance: bench-%u\n"
                             "limits:\n"
                             "  handshakesPerSecond: 1000000\n"
                             "  messagesPerSecond: 1000000\n"
                             "  messageBurst: 1000000\n"
                             "audit: {file: %s/audit-%u.jsonl}\n";

static bool write_config(const struct stack *s, const struct stack_daemon *d, bool tls,
                         const char *path) {
    unsigned index = (unsigned)(d - s->daemons);

    char listener[256] = "plaintext: true";
    if (tls) {
        snprintf(listener, sizeof listener,
                 "tls: {certificate: %s/tls.pem, key: %s/tls.key, minVersion: \"1.3\"}", s->folder,
                 s->folder);
    }
    FILE *file = fopen(path, "wxe");
    if (file == NULL) {
        return false;
    }
    bool ok = fprintf(file, CONFIG, d->port, listener, d->ops_port, s->folder, index, s->folder,
                      s->folder, s->redis_socket, index, s->folder, index) > 0;
    return fclose(file) == 0 && ok;
}

static bool redis_answers(const void *of) {
    const struct stack *s = of;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", s->redis_socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

/* Whether it can grant locks, by its operations endpoint. */
static bool daemon_is_ready(const void *of) {
    const struct stack_daemon *d = of;
    static const char request[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char answer[13] = "";
    int fd = process_connect(d->ops_port);
    if (fd < 0) {
        return false;
    }
    bool ready = write(fd, request, sizeof request - 1) > 0 &&
                 read(fd, answer, sizeof answer - 1) > 0 && strcmp(answer, "HTTP/1.1 200") == 0;
    close(fd);
    return ready;
}

static bool wait_until(pid_t pid, bool (*is_ready)(const void *of), const void *of) {
    uint64_t end = monotonic_ns() + START_MS * 1000000ull;
    while (pid > 0 && process_alive(pid) && monotonic_ns() < end) {
        if (is_ready(of)) {
            return true;
        }
        usleep(POLL_US);
    }
    return false;
}

static bool start_redis(struct stack *s) {
    char log[128];
    const char *other = getenv("WSLOCK_TEST_REDIS");
    const char *const argv[] = {other != NULL ? other : "redis-server",
                                "--port",
                                "0",
                                "--unixsocket",
                                s->redis_socket,
                                "--save",
                                "",
                                "--appendonly",
                                "no",
                                "--dir",
                                s->folder,
                                "--maxmemory-policy",
                                "noeviction",
                                NULL};
    snprintf(log, sizeof log, "%s/redis.log", s->folder);
    s->redis = process_spawn(argv, log);
    if (wait_until(s->redis, redis_answers, s)) {
        return true;
    }
    complain("redis-server did not start:");
    process_show_log(log);
    return false;
}

static bool start_daemon(struct stack *s, const struct bench *b, bool tls) {
    char log[128], config[128];
    const char *const argv[] = {b->wslockd, "--config", config, NULL};
    struct stack_daemon *d = &s->daemons[s->daemon_count];
    snprintf(log, sizeof log, "%s/wslockd-%u.log", s->folder, s->daemon_count);
    snprintf(config, sizeof config, "%s/wslockd-%u.yaml", s->folder, s->daemon_count);
    d->port = process_free_port();
    d->ops_port = process_free_port();
    if (!write_config(s, d, tls, config)) {
        return false;
    }
    d->pid = process_spawn(argv, log);
    s->daemon_count++;
    if (wait_until(d->pid, daemon_is_ready, d)) {
        return true;
    }
    complain("%s did not get ready:", b->wslockd);
    process_show_log(log);
    return false;
}

bool stack_start(struct stack *s, const struct bench *b, bool tls) {
    *s = (struct stack){.folder = "/tmp/wslock-bench-XXXXXX", .keep = b->keep};
    if (mkdtemp(s->folder) == NULL) {
        complain("cannot make a folder in /tmp");
        return false;
    }
    snprintf(s->redis_socket, sizeof s->redis_socket, "%s/redis.sock", s->folder);
    if (keys_make(&s->keys, s->folder) && start_redis(s) && start_daemon(s, b, tls)) {
        return true;
    }
    stack_stop(s);
    return false;
}

bool stack_add_daemon(struct stack *s, const struct bench *b) {
    return s->daemon_count < STACK_DAEMONS && start_daemon(s, b, false);
}

static void remove_folder(const char *folder) {
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir != NULL && ((entry = readdir(dir)) != NULL)) {
        if (unlinkat(dirfd(dir), entry->d_name, 0) != 0) {
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    rmdir(folder);
}

void stack_stop(struct stack *s) {
    for (unsigned i = 0; i < s->daemon_count; i++) {
        process_stop(&s->daemons[i].pid);
    }
    process_stop(&s->redis);
    keys_fini(&s->keys);
    if (s->keep) {
        complain("kept: %s", s->folder);
    } else {
        remove_folder(s->folder);
    }
}
