/* One call of a script, from its arguments to its decoded result. */
#ifndef WSLOCK_SRC_LOCK_SCRIPT_H
#define WSLOCK_SRC_LOCK_SCRIPT_H

#include "scripts.h"
#include "state.h"

struct script_call;
/* The call is freed afterwards. */
typedef void (*script_done)(struct script_call *call, const struct script_reply *reply);
/* The callback of a caller; all zero: a call of the store itself. */
struct script_cb {
    /* Calls the callback with its kind of result. */
    void (*pass)(const struct script_cb *cb, const struct script_reply *reply);
    union {
        lock_cb common;
        lock_acquire_cb acquire;
        lock_join_cb join;
        lock_heartbeat_cb heartbeat;
        lock_request_cb request;
        lock_reply_cb reply;
        lock_takeover_cb takeover;
        lock_verify_cb verify;
        lock_operate_cb operate;
        lock_inspect_cb inspect;
        lock_report_cb report;
    };
    void *arg;
};

struct script_call {
    struct shard *shard;
    const struct lock_node *node; /* that it was sent to */
    script_done done;
    bool changes; /* it may make events */
    struct script_cb cb;
    uint64_t begin_us; /* boot time */
    const char *label; /* of the script, for metrics; NULL: nothing is sent */
    unsigned round;    /* shard->round when the call was sent */
    bool arrived;      /* its reply was noted */
};

/* Set once, by store.c. */
struct script_hooks {
    /* A reply has arrived; `done` may follow later. */
    void (*arrived)(const struct script_call *call, const struct script_reply *reply);
    /* Before `done`. */
    void (*before_done)(const struct script_call *call, const struct script_reply *reply);
    /* After `done`, unless the store is closing. status: REDIS_UNKNOWN also for a malformed reply.
     * changes: of the call. */
    void (*after_done)(struct shard *s, enum redis_status status, bool changes,
                       const struct lock_result *result);
};

void script_send(struct shard *s, const struct redis_script *script, struct script_args *a,
                 script_done done, struct script_cb cb);
/* Sends nothing. `done` is called with LOCK_UNAVAILABLE in a later turn of the loop. */
void script_decline(struct shard *s, const char *why, script_done done, struct script_cb cb);
/* The shard has moved to another node: the replies that are held count as unknown outcomes. */
void script_drop_held(struct shard *s);
/* Copies an error without the position in the script. error may be NULL. */
void script_keep_problem(char out[LOCK_PROBLEM_LEN], const char *error);

#endif
