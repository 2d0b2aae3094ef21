/*
 * One asynchronous connection to Redis on our libuv loop, reconnected with backoff (100 ms doubling
 * to 1 s, with jitter; an attempt is given up after 1 s or the command timeout). With Sentinels it
 * leads to the master that they name, and reconnects at once when they name another. A server that
 * is not a master is left, and they are asked again. Every command has a deadline and its callback
 * runs exactly once, never from within the call that issued it, also when the link is destroyed.
 * The program must ignore SIGPIPE.
 */
#ifndef WSLOCK_REDIS_LINK_H
#define WSLOCK_REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"
#include "wslock/config/config.h"
#include "wslock/redis/address.h"

typedef struct uv_loop_s uv_loop_t;

struct redis_link;
struct redis_reply; /* borrowed: dies when the callback returns */

enum redis_status {
    REDIS_OK,      /* reply is there and is no error */
    REDIS_UNSENT,  /* never left this process: not connected, or too much in flight (256 executing,
                      65,536 waiting) */
    REDIS_REFUSED, /* not executed: Redis refused before its first write (LOADING, READONLY, BUSY,
                      OOM, MASTERDOWN, NOREPLICAS, NOAUTH, NOPERM, …), or a plain command failed */
    REDIS_UNKNOWN, /* may have been executed: deadline passed, connection lost, a script that failed
                    */
};

/* error: static or borrowed text, for the log, when status is not REDIS_OK. */
typedef void (*redis_cb)(void *arg, enum redis_status status, const struct redis_reply *reply,
                         const char *error);

struct redis_link_callbacks {
    void (*on_up)(void *ctx); /* connected, authenticated, database selected; with Sentinels: to a
                                 master */
    void (*on_down)(void *ctx, const char *reason); /* after having been up; outstanding calls have
                                                       been completed with REDIS_UNKNOWN before */
    void (*on_fail)(void *ctx,
                    const char *reason); /* one attempt to connect failed; another follows */
    void *ctx;
};

/* Reports what is wrong with the TLS files of the store; false if anything is. Connects to nothing.
 */
bool redis_link_check(const struct config *config, config_finding_cb on_problem,
                      void *ctx) MUST_CHECK;
/* config is kept (reference). name appears in CLIENT SETNAME and the log. Connecting starts at
 * once. With redis.cluster the link has no address and never connects. */
struct redis_link *redis_link_create(uv_loop_t *loop, const struct config *config, const char *name,
                                     const struct redis_link_callbacks *callbacks);
/* To a node of a Cluster. User, password and TLS are those of the configuration. */
struct redis_link *redis_link_create_at(uv_loop_t *loop, const struct config *config,
                                        const struct redis_address *address, const char *name,
                                        const struct redis_link_callbacks *callbacks);
/* Another connection to the same server, also where Sentinels tell which one that is. */
struct redis_link *redis_link_create_beside(const struct redis_link *other, const char *name,
                                            const struct redis_link_callbacks *callbacks);
/* Writes out what the socket takes, completes what is outstanding (REDIS_UNKNOWN, or REDIS_UNSENT)
 * and frees; its handles close asynchronously, so the loop must run once more before it is closed.
 * Not from within one of its callbacks. */
void redis_link_destroy(struct redis_link **link);
bool redis_link_is_up(const struct redis_link *link);
/* A command has waited for a quarter of its time to be sent: the server is given only so many at
 * once. */
bool redis_link_is_busy(const struct redis_link *link);
/* Where it connects to, for messages: "127.0.0.1:6379", "/path/redis.sock",
 * "master wslock (127.0.0.1:6379)". Valid until the next turn of the loop. */
const char *redis_link_target(const struct redis_link *link);

/* Writes the commands that wait for the end of this turn of the loop. Calls back nobody. */
void redis_link_send(struct redis_link *link);

/* Completes what has been answered already. Not from within a callback of this link. */
void redis_link_catch_up(struct redis_link *link);

/* The slot has been moved: ASKING is sent no more. */
void redis_link_end_asking(struct redis_link *link);

/* Drops the connection on purpose and connects again (a reply that cannot be right). */
void redis_link_reset(struct redis_link *link, const char *reason);

/* timeout_ms from now. argv is copied before the call returns. */
void redis_link_command(struct redis_link *link, int argc, const struct str *argv,
                        uint64_t timeout_ms, redis_cb cb, void *arg);

/* Completes REDIS_UNSENT from the loop, without sending anything: for who must answer later but
 * knows now. */
void redis_link_decline(struct redis_link *link, const char *why, redis_cb cb, void *arg);

/* A function library embedded in the program. */
struct redis_library {
    const char *source;
    size_t source_len;
};

/* One of its functions. */
struct redis_script {
    const char *function;
    const struct redis_library *library;
    const char *label; /* for metrics */
};

/* FCALL; if the server does not have the function, FUNCTION LOAD and one more FCALL within the same
 * deadline. With `asking`, only the first key is sent as a key, the others after the arguments: the
 * server refuses several keys (TRYAGAIN) if one of them does not exist. */
void redis_link_call(struct redis_link *link, const struct redis_script *script, int key_count,
                     const struct str *keys, int arg_count, const struct str *args,
                     uint64_t timeout_ms, redis_cb cb, void *arg);

/* Checked getters: a reply of another type answers false / 0 / empty, never a crash. */
bool redis_reply_is_nil(const struct redis_reply *r); /* also for NULL */
bool redis_reply_int(const struct redis_reply *r,
                     int64_t *out) MUST_CHECK; /* integer or decimal string */
bool redis_reply_str(const struct redis_reply *r,
                     struct str *out) MUST_CHECK;      /* string or status */
size_t redis_reply_count(const struct redis_reply *r); /* 0 if no array */
const struct redis_reply *redis_reply_at(const struct redis_reply *r, size_t index); /* or NULL */

#endif
