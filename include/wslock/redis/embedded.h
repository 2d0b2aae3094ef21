/*
 * A private redis-server (or valkey-server) as a child of ours: unix socket and append-only file in
 * a directory of its own, no TCP port. Started by --dev and by redis.embedded. Ends with us:
 * SIGTERM at stop, and PR_SET_PDEATHSIG in case we die. A child that a predecessor left behind
 * (kill -9) is waited for.
 */
#ifndef WSLOCK_REDIS_EMBEDDED_H
#define WSLOCK_REDIS_EMBEDDED_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/macros.h"

typedef struct uv_loop_s uv_loop_t;
struct redis_embedded;

/* Starts it in directory (created 0700). NULL with *problem (heap) when no server program is found
 * or it cannot be started. The socket is directory/redis.sock; connecting is redis_link's business,
 * which repeats until it is there. A child that dies is started again after a pause. */
struct redis_embedded *redis_embedded_start(uv_loop_t *loop, const char *directory,
                                            char **problem) MUST_CHECK;
/* Whether there is a server program, and the directory's name leaves room for the socket's; starts
 * and makes nothing. False with *problem (heap). */
bool redis_embedded_check(const char *directory, char **problem) MUST_CHECK;
const char *redis_embedded_socket(const struct redis_embedded *e);
/* SIGTERM, waits up to 5 s (blocking; for teardown), then SIGKILL. Frees. */
void redis_embedded_stop(struct redis_embedded **e);

#endif
