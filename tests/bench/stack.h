/*
 * What is measured: a Redis of its own on a Unix socket and one daemon or several in front of it,
 * in a folder that is removed at the end.
 */
#ifndef WSLOCK_BENCH_STACK_H
#define WSLOCK_BENCH_STACK_H

#include "bench.h"
#include "keys.h"
#include <sys/types.h>

#define STACK_DAEMONS 4

struct stack_daemon {
    pid_t pid;
    uint16_t port, ops_port;
};

struct stack {
    char folder[64];
    char redis_socket[96];
    pid_t redis;
    struct stack_daemon daemons[STACK_DAEMONS];
    unsigned daemon_count;
    struct keys keys;
    bool keep;
};

/* Returns when the daemon can grant locks. False: nothing runs, and what went wrong was told.
 */
bool stack_start(struct stack *s, const struct bench *b, bool tls) MUST_CHECK;
/* Another daemon, at most STACK_DAEMONS in all. */
bool stack_add_daemon(struct stack *s, const struct bench *b) MUST_CHECK;
void stack_stop(struct stack *s);

#endif
