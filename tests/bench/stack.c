#include "stack.h"

#include <dirent.h>
#include <fcntl.h>
#include <hiredis.h>
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
#define REPLICA_START_US 2000000

static const char CONFIG[] = "listen:\n"
                             "  - {address: 127.0.0.1, port: %u, %s}\n"
                             "ops: {address: 127.0.0.1, port: %u, socket: %s/ops-%u.sock}\n"
                             "auth:\n"
                             "  algorithms: [HS256, ES256]\n"
                             "  keys:\n"
                             "    - {kid: hs, alg: HS256, secretFile: %s/hs256}\n"
                             "    - {kid: es, alg: ES256, publicKeyFile: %s/es256.pem}\n"
                             "redis: {%s}\n"
                             "instance: bench-%u\n"
                             "limits:\n"
                             "  handshakesPerSecond: 1000000\n"
                             "  messagesPerSecond: 1000000\n"
                             "  messageBurst: 1000000\n"
                             "audit: {file: %s/audit-%u.jsonl}\n";

static bool write_config(const struct stack *s, const struct stack_daemon *d, const struct bench *b,
                         bool tls, const char *path) {
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
    char store[128];
    if (s->redis_socket[0] != '\0') {
        snprintf(store, sizeof store, "url: \"unix:%s\", waitReplicas: %u", s->redis_socket,
                 b->wait ? b->replicas : 0);
    } else {
        snprintf(store, sizeof store, "cluster: {nodes: [\"127.0.0.1:%u\"]}", s->master_ports[0]);
    }
    bool ok = fprintf(file, CONFIG, d->port, listener, d->ops_port, s->folder, index, s->folder,
                      s->folder, store, index, s->folder, index) > 0;
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

static bool start_replica(struct stack *s, unsigned index, const char *master_port) {
    char log[128], socket_path[128];
    const char *other = getenv("WSLOCK_TEST_REDIS");
    const char *const argv[] = {other != NULL ? other : "redis-server",
                                "--port",
                                "0",
                                "--unixsocket",
                                socket_path,
                                "--save",
                                "",
                                "--replicaof",
                                "127.0.0.1",
                                master_port,
                                "--dir",
                                s->folder,
                                NULL};
    snprintf(log, sizeof log, "%s/replica%u.log", s->folder, index);
    snprintf(socket_path, sizeof socket_path, "%s/replica%u.sock", s->folder, index);
    s->replicas[index] = process_spawn(argv, log);
    return s->replicas[index] > 0;
}

static bool start_redis(struct stack *s, const struct bench *b) {
    char log[128], port[16] = "0";
    const char *other = getenv("WSLOCK_TEST_REDIS");
    const char *const argv[] = {other != NULL ? other : "redis-server",
                                "--port",
                                port,
                                "--repl-diskless-sync-delay",
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
    if (b->replicas > 0) {
        snprintf(port, sizeof port, "%u", process_free_port());
    }
    s->redis = process_spawn(argv, log);
    if (!wait_until(s->redis, redis_answers, s)) {
        complain("redis-server did not start:");
        process_show_log(log);
        return false;
    }
    for (unsigned i = 0; i < b->replicas; i++) {
        if (!start_replica(s, i, port)) {
            complain("a replica did not start");
            return false;
        }
    }
    usleep(b->replicas * REPLICA_START_US); /* they are copied, and have said so */
    return true;
}

static bool start_daemon(struct stack *s, const struct bench *b, bool tls) {
    char log[128], config[128];
    const char *const argv[] = {b->wslockd, "--config", config, NULL};
    struct stack_daemon *d = &s->daemons[s->daemon_count];
    snprintf(log, sizeof log, "%s/wslockd-%u.log", s->folder, s->daemon_count);
    snprintf(config, sizeof config, "%s/wslockd-%u.yaml", s->folder, s->daemon_count);
    d->port = process_free_port();
    d->ops_port = process_free_port();
    if (!write_config(s, d, b, tls, config)) {
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

static bool open_folder(struct stack *s, const struct bench *b) {
    *s = (struct stack){.folder = "/tmp/wslock-bench-XXXXXX", .keep = b->keep};
    if (mkdtemp(s->folder) == NULL) {
        complain("cannot make a folder in /tmp");
        return false;
    }
    return true;
}

bool stack_start(struct stack *s, const struct bench *b, bool tls) {
    if (!open_folder(s, b)) {
        return false;
    }
    snprintf(s->redis_socket, sizeof s->redis_socket, "%s/redis.sock", s->folder);
    if (keys_make(&s->keys, s->folder) && start_redis(s, b) && start_daemon(s, b, tls)) {
        return true;
    }
    stack_stop(s);
    return false;
}

/* ---- a Cluster ---- */

/* To the log of the run, if the reply is an error. */
static bool ask(redisContext *c, const char *command) {
    redisReply *reply = c != NULL && c->err == 0 ? redisCommand(c, command) : NULL;
    bool ok = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (!ok) {
        complain("%s: %s", command, reply != NULL ? reply->str : "no answer");
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return ok;
}

/* Gives the master its part of the 16,384 slots, and shows it the first one. */
static bool join_cluster(const struct stack *s, unsigned index) {
    redisContext *c = redisConnect("127.0.0.1", s->master_ports[index]);
    char slots[64], meet[64];
    snprintf(slots, sizeof slots, "CLUSTER ADDSLOTSRANGE %u %u", 16384 * index / STACK_MASTERS,
             16384 * (index + 1) / STACK_MASTERS - 1);
    snprintf(meet, sizeof meet, "CLUSTER MEET 127.0.0.1 %u", s->master_ports[0]);
    bool ok = ask(c, slots) && (index == 0 || ask(c, meet));
    if (c != NULL) {
        redisFree(c);
    }
    return ok;
}

static bool cluster_is_up(const void *of) {
    const struct stack *s = of;
    unsigned up = 0;
    for (unsigned i = 0; i < STACK_MASTERS; i++) {
        redisContext *c = redisConnect("127.0.0.1", s->master_ports[i]);
        redisReply *reply = c != NULL && c->err == 0 ? redisCommand(c, "CLUSTER INFO") : NULL;
        up += reply != NULL && reply->type == REDIS_REPLY_STRING &&
              strstr(reply->str, "cluster_state:ok") != NULL;
        if (reply != NULL) {
            freeReplyObject(reply);
        }
        if (c != NULL) {
            redisFree(c);
        }
    }
    return up == STACK_MASTERS;
}

static bool start_master(struct stack *s, unsigned index) {
    char log[128], port[8], nodes[32];
    const char *other = getenv("WSLOCK_TEST_REDIS");
    const char *const argv[] = {other != NULL ? other : "redis-server",
                                "--port",
                                port,
                                "--bind",
                                "127.0.0.1",
                                "--cluster-enabled",
                                "yes",
                                "--cluster-config-file",
                                nodes,
                                "--save",
                                "",
                                "--appendonly",
                                "no",
                                "--dir",
                                s->folder,
                                "--maxmemory-policy",
                                "noeviction",
                                NULL};
    s->master_ports[index] = process_free_cluster_port();
    snprintf(port, sizeof port, "%u", s->master_ports[index]);
    snprintf(nodes, sizeof nodes, "nodes-%u.conf", index);
    snprintf(log, sizeof log, "%s/redis-%u.log", s->folder, index);
    s->masters[index] = process_spawn(argv, log);
    return process_wait_port(s->masters[index], s->master_ports[index], log);
}

bool stack_start_cluster(struct stack *s, const struct bench *b) {
    bool ok = open_folder(s, b) && keys_make(&s->keys, s->folder);
    for (unsigned i = 0; ok && i < STACK_MASTERS; i++) {
        ok = start_master(s, i);
    }
    for (unsigned i = 0; ok && i < STACK_MASTERS; i++) {
        ok = join_cluster(s, i);
    }
    if (ok && wait_until(s->masters[0], cluster_is_up, s) && start_daemon(s, b, false)) {
        return true;
    }
    stack_stop(s);
    return false;
}

uint64_t stack_redis_cpu_ns(const struct stack *s) {
    uint64_t sum = s->redis > 0 ? process_cpu_ns(s->redis) : 0;
    for (unsigned i = 0; i < STACK_MASTERS; i++) {
        sum += s->masters[i] > 0 ? process_cpu_ns(s->masters[i]) : 0;
    }
    return sum;
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
    for (unsigned i = 0; i < STACK_REPLICAS_MAX; i++) {
        process_stop(&s->replicas[i]);
    }
    process_stop(&s->redis);
    for (unsigned i = 0; i < STACK_MASTERS; i++) {
        process_stop(&s->masters[i]);
    }
    keys_fini(&s->keys);
    if (s->keep) {
        complain("kept: %s", s->folder);
    } else {
        remove_folder(s->folder);
    }
}
