#include "direct.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"
#include "process.h"
#include "scripts.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

#include <hiredis/hiredis.h> /* last: its macro REDIS_OK would break the enum of link.h */

#define TAG "{bench:0}:"
#define INCARNATION "bench-incarnation-0001"
#define LEASE_MS 3600000
#define GRACE_MS 30000
#define TTL_MS 300000
#define SHARDS 16
#define SCHEMA 2
#define WARM_UP_MS 200
#define MAX_ARGV (3 + ARGS_KEYS_MAX + 2)

struct direct {
    redisContext *redis;
    unsigned count;
    bool *held; /* by room: whether the next call releases */
    struct buf packed;
};

static const struct shard_keys KEYS = {
    .tag = {TAG, sizeof TAG - 1},
    .meta = {TAG "meta", sizeof TAG + 3},
    .due = {TAG "due", sizeof TAG + 2},
    .events = {TAG "events", sizeof TAG + 5},
    .audit = {TAG "audit", sizeof TAG + 4},
    .instances = {TAG "instances", sizeof TAG + 8},
    .written = {TAG "written", sizeof TAG + 6},
    .instance = {TAG "instance:" INCARNATION, sizeof TAG + 8 + sizeof INCARNATION - 1},
};

static const struct config_policy POLICY = {
    .lock_ttl_ms = TTL_MS,
    .heartbeat_interval_ms = 60000,
    .max_tab_locks = 5,
    .max_viewers = CONFIG_NO_LIMIT,
    .disconnect = CONFIG_DISCONNECT_GRACE,
    .grace_period_ms = GRACE_MS,
    .claim_window_ms = 30000,
    .idle_release_ms = CONFIG_NO_LIMIT,
    .presence_max_listed = 200,
};

/* ---- calls ---- */

static void append(struct direct *d, const struct redis_script *script, struct script_args *a) {
    const struct str packed = args_packed(a);
    const char *argv[MAX_ARGV];
    size_t lens[MAX_ARGV];
    char key_count[16];
    int n = 0;
    argv[n] = "FCALL";
    lens[n++] = 5;
    argv[n] = script->function;
    lens[n++] = strlen(script->function);
    argv[n] = key_count;
    lens[n++] = (size_t)snprintf(key_count, sizeof key_count, "%d", a->key_count);
    for (int i = 0; i < a->key_count; i++, n++) {
        argv[n] = a->keys[i].p;
        lens[n] = a->keys[i].len;
    }
    argv[n] = packed.p;
    lens[n++] = packed.len;
    argv[n] = INCARNATION;
    lens[n++] = sizeof INCARNATION - 1;
    redisAppendCommandArgv(d->redis, n, argv, lens);
}

/* Reads the status and the outcome of a reply, and its window if wanted. */
static bool is_outcome(const redisReply *reply, const char *outcome, int64_t *window) {
    struct msgpack m;
    struct msgpack_list list;
    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        complain("direct: %s",
                 reply != NULL && reply->type == REDIS_REPLY_ERROR ? reply->str : "no reply");
        return false;
    }
    msgpack_open(&m, &list, (struct str){reply->str, reply->len});
    struct str status = msgpack_str(&list), got = msgpack_str(&list);
    if (!m.ok || !str_eqz(status, "OK") || !str_eqz(got, outcome)) {
        complain("direct: %s expected, got %.*s %.*s", outcome, (int)status.len, status.p,
                 (int)got.len, got.p);
        return false;
    }
    if (window != NULL) {
        msgpack_int(&list); /* rev */
        msgpack_int(&list); /* now */
        *window = msgpack_int(&list);
    }
    return m.ok;
}

static bool call(struct direct *d, const struct redis_script *script, struct script_args *a,
                 const char *outcome, int64_t *window) {
    void *reply = NULL;
    append(d, script, a);
    if (redisGetReply(d->redis, &reply) != REDIS_OK) {
        complain("direct: %s", d->redis->errstr);
        return false;
    }
    bool ok = is_outcome(reply, outcome, window);
    freeReplyObject(reply);
    return ok;
}

/* ---- arguments, as src/lock/calls.c has them ---- */

struct names {
    char resource[48], session[48], user[32], client[32], username[48];
};

static void add_names(struct direct *d, struct script_args *a, unsigned room, struct names *n) {
    snprintf(n->resource, sizeof n->resource, "document:room-%u:main", room);
    snprintf(n->session, sizeof n->session, "session-%014u", room);
    snprintf(n->user, sizeof n->user, "user-%06u", room);
    snprintf(n->client, sizeof n->client, "tab-%08u-bench", room);
    snprintf(n->username, sizeof n->username, "User Number user-%06u", room);
    args_init(a, &d->packed);
    args_keys_room(a, &KEYS, str_of(n->resource), str_of(n->user));
    args_int(a, clock_wall_ms() + TTL_MS);
    args_str(a, str_of(n->resource));
    args_str(a, str_of(n->session));
    args_str(a, str_of(n->user));
    args_str(a, str_of(n->client));
}

static void add_terms(struct script_args *a, const struct names *n) {
    args_str(a, str_of(n->username));
    args_flag(a, false);
    args_policy(a, &POLICY);
    args_int(a, POLICY.lock_ttl_ms);
    args_int(a, POLICY.idle_release_ms);
    args_int(a, POLICY.max_tab_locks);
    args_flag(a, false);
    args_int(a, POLICY.heartbeat_interval_ms / 2);
}

static void append_next(struct direct *d, unsigned room) {
    struct script_args a;
    struct names n;
    add_names(d, &a, room, &n);
    if (d->held[room]) {
        args_int(&a, 0);
        args_optional(&a, (struct str){NULL, 0});
        args_str(&a, str_of("RELEASED"));
        append(d, &lock_script_release, &a);
    } else {
        add_terms(&a, &n);
        append(d, &lock_script_acquire, &a);
    }
}

static bool take_next(struct direct *d, unsigned room, void *reply) {
    bool ok = is_outcome(reply, d->held[room] ? "RELEASED" : "GRANTED", NULL);
    freeReplyObject(reply);
    d->held[room] = !d->held[room];
    return ok;
}

/* ---- setting up ---- */

/* A server that has the library already answers with an error, and the first call tells. */
static bool load_library(struct direct *d) {
    redisReply *reply =
        redisCommand(d->redis, "FUNCTION LOAD %b", lock_library.source, lock_library.source_len);
    bool ok = reply != NULL;
    freeReplyObject(reply);
    return ok;
}

static bool renew(struct direct *d, int64_t *window) {
    struct script_args a;
    args_init(&a, &d->packed);
    args_keys_shard(&a, &KEYS);
    args_int(&a, 0);
    args_int(&a, LEASE_MS);
    args_int(&a, 0);
    args_int(&a, SHARDS);
    args_flag(&a, true);
    args_int(&a, GRACE_MS);
    args_int(&a, 0);
    args_int(&a, 0);
    return call(d, &lock_script_lease, &a, "NONE", window);
}

/* Opens the shard, and closes the recovery window with which a new store begins. */
static bool open_shard(struct direct *d) {
    struct script_args a;
    int64_t window = 0;
    args_init(&a, &d->packed);
    args_keys_shard(&a, &KEYS);
    args_int(&a, 0);
    args_int(&a, SHARDS);
    args_int(&a, SCHEMA);
    args_int(&a, SCHEMA);
    if (!call(d, &lock_script_open, &a, "NONE", NULL) || !renew(d, &window)) {
        return false;
    }
    if (window == 0) {
        return true;
    }
    args_init(&a, &d->packed);
    args_keys_shard(&a, &KEYS);
    args_int(&a, 0);
    args_int(&a, LEASE_MS);
    args_flag(&a, true);
    args_int(&a, GRACE_MS);
    args_int(&a, window);
    args_int(&a, 0);
    return call(d, &lock_script_report_done, &a, "NONE", NULL) && renew(d, NULL);
}

static bool join_rooms(struct direct *d) {
    for (unsigned room = 0; room < d->count; room++) {
        struct script_args a;
        struct names n;
        add_names(d, &a, room, &n);
        add_terms(&a, &n);
        args_int(&a, 0);
        args_int(&a, POLICY.max_viewers);
        args_int(&a, POLICY.presence_max_listed);
        args_int(&a, 0);
        args_str(&a, str_of(""));
        if (!call(d, &lock_script_join, &a, "NONE", NULL)) {
            return false;
        }
    }
    return true;
}

struct direct *direct_create(const char *redis_socket, unsigned count) {
    struct direct *d = mem_zalloc(sizeof *d);
    d->count = count;
    buf_init(&d->packed);
    d->held = mem_calloc(count, sizeof *d->held);
    d->redis = redisConnectUnix(redis_socket);
    if (d->redis != NULL && d->redis->err == 0 &&
        redisSetTimeout(d->redis, (struct timeval){10, 0}) == REDIS_OK && load_library(d) &&
        open_shard(d) && join_rooms(d)) {
        return d;
    }
    complain("direct: cannot set up");
    direct_destroy(&d);
    return NULL;
}

void direct_destroy(struct direct **direct) {
    struct direct *d = *direct;
    if (d == NULL) {
        return;
    }
    if (d->redis != NULL) {
        redisFree(d->redis);
    }
    buf_fini(&d->packed);
    mem_free(d->held);
    mem_free(d);
    *direct = NULL;
}

/* ---- running ---- */

bool direct_one_by_one(struct direct *d, unsigned calls, struct samples *us) {
    for (unsigned i = 0; i < 2 * calls; i++) {
        void *reply = NULL;
        uint64_t begin = monotonic_ns();
        bool acquires = !d->held[0];
        append_next(d, 0);
        if (redisGetReply(d->redis, &reply) != REDIS_OK) {
            return false;
        }
        if (acquires) {
            samples_add(us, (double)(monotonic_ns() - begin) / 1000);
        }
        if (!take_next(d, 0, reply)) {
            return false;
        }
    }
    return true;
}

static bool flush(struct direct *d) {
    int written = 0;
    while (!written) {
        if (redisBufferWrite(d->redis, &written) != REDIS_OK) {
            return false;
        }
    }
    return true;
}

/* Replies come in the order of the calls, so the rooms take turns. Reading and writing go by what
 * the socket has: as few system calls as can be. */
static bool turn(struct direct *d, unsigned *room, uint64_t *calls) {
    void *reply = NULL;
    if (redisBufferRead(d->redis) != REDIS_OK) {
        return false;
    }
    while (redisGetReplyFromReader(d->redis, &reply) == REDIS_OK && reply != NULL) {
        if (!take_next(d, *room, reply)) {
            return false;
        }
        append_next(d, *room);
        *room = (*room + 1) % d->count;
        (*calls)++;
        reply = NULL;
    }
    return flush(d);
}

/* The last calls are answered, every lock is free. */
static bool wind_down(struct direct *d, unsigned room) {
    for (unsigned i = 0; i < d->count; i++, room = (room + 1) % d->count) {
        void *reply = NULL;
        if (redisGetReply(d->redis, &reply) != REDIS_OK || !take_next(d, room, reply)) {
            return false;
        }
    }
    return true;
}

static bool run_in_flight(struct direct *d, unsigned run_ms, pid_t redis,
                          struct direct_result *result) {
    uint64_t begin = monotonic_ns(), calls = 0;
    uint64_t from = begin + WARM_UP_MS * 1000000ull, to = from + run_ms * 1000000ull;
    unsigned room = 0;
    *result = (struct direct_result){0};
    for (unsigned i = 0; i < d->count; i++) {
        append_next(d, i);
    }
    if (!flush(d)) {
        return false;
    }
    for (uint64_t now = begin; now < to; now = monotonic_ns()) {
        if (now >= from && result->cpu_ns == 0) {
            calls = 0;
            result->cpu_ns = process_cpu_ns(getpid());
            result->redis_ns = process_cpu_ns(redis);
        }
        if (!turn(d, &room, &calls)) {
            return false;
        }
    }
    result->calls = calls;
    result->cpu_ns = process_cpu_ns(getpid()) - result->cpu_ns;
    result->redis_ns = process_cpu_ns(redis) - result->redis_ns;
    return wind_down(d, room);
}

static _Noreturn void child(const char *redis_socket, unsigned count, unsigned run_ms, pid_t redis,
                            int out) {
    struct direct_result result;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct direct *d = direct_create(redis_socket, count);
    bool ok = d != NULL && run_in_flight(d, run_ms, redis, &result) &&
              write(out, &result, sizeof result) == (ssize_t)sizeof result;
    if (!ok && d != NULL && d->redis->err) {
        complain("direct: %s", d->redis->errstr);
    }
    _exit(ok ? 0 : 1);
}

bool direct_in_flight(const char *redis_socket, unsigned count, unsigned run_ms, pid_t redis,
                      struct direct_result *result) {
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        child(redis_socket, count, run_ms, redis, ends[1]);
    }
    close(ends[1]);
    bool ok = pid > 0 && read(ends[0], result, sizeof *result) == (ssize_t)sizeof *result;
    close(ends[0]);
    if (pid > 0) {
        waitpid(pid, NULL, 0);
    }
    return ok;
}
