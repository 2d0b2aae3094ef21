/*
 * What is measured: a Redis of its own on a Unix socket, or a Redis Cluster of masters, and one
 * daemon or several in front of it, in a folder that is removed at the end.
 */
#ifndef WSLOCK_BENCH_STACK_H
#define WSLOCK_BENCH_STACK_H

#include "bench.h"
#include "keys.h"
#include <sys/types.h>

#define STACK_DAEMONS 4
#define STACK_MASTERS 3
#define STACK_REPLICAS_MAX 3

struct stack_daemon {
    pid_t pid;
    uint16_t port, ops_port;
};

struct stack {
    char folder[64];
    char redis_socket[96]; /* empty: a Cluster */
    pid_t redis, masters[STACK_MASTERS], replicas[STACK_REPLICAS_MAX];
    uint16_t master_ports[STACK_MASTERS];
    struct stack_daemon daemons[STACK_DAEMONS];
    unsigned daemon_count;
    struct keys keys;
    bool keep;
};

/* Returns when the daemon can grant locks. False: nothing runs, and what went wrong was told.
 */
bool stack_start(struct stack *s, const struct bench *b, bool tls) MUST_CHECK;
/* The same on a Redis Cluster of STACK_MASTERS masters. */
bool stack_start_cluster(struct stack *s, const struct bench *b) MUST_CHECK;
/* CPU time of all servers of the store. */
uint64_t stack_redis_cpu_ns(const struct stack *s);
/* Another daemon, at most STACK_DAEMONS in all. */
bool stack_add_daemon(struct stack *s, const struct bench *b) MUST_CHECK;
void stack_stop(struct stack *s);

#endif
