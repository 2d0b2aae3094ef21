/*
 * The inside of the store. A shard is served from when it was opened on this connection, its lease
 * renewed and everything that this instance has there reported, until the connection, the lease or
 * the belief in what was read is lost:
 *
 *     AWAY ── link up ──> OPENING ── open, lease ──> SYNCING ── reports, report_done ──> SERVING
 *       ^                    ^                          ^   │                              │ │
 *       │                    └──── the lease lapsed ────┼───┼──────────────────────────────┘ │
 *       │                                               └───┴── gap, window, unknown outcome ┘
 *       └── the store went away (from any state)
 *
 * store.c: life, up and down. shard.c: these states. calls.c: the requests. sweep.c: what is due.
 * feed.c: the streams.
 */
#ifndef WSLOCK_SRC_LOCK_STORE_PRIVATE_H
#define WSLOCK_SRC_LOCK_STORE_PRIVATE_H

#include <uv.h>

#include "args.h"
#include "decode.h"
#include "scripts.h"

#include "wslock/base/log.h"
#include "wslock/base/rand.h"
#include "wslock/base/wheel.h"

#define LOCK_SCHEMA 1
#define LOCK_RETRY_MS 500 /* after a refusal or a failed report */
#define LOCK_WINDOW_POLL_MS                                                                        \
    500 /* lease renewals while a recovery window is open: they close it                           \
         */

enum shard_state { SHARD_AWAY, SHARD_OPENING, SHARD_SYNCING, SHARD_SERVING };

struct shard {
    struct lock_store *store;
    unsigned index;
    enum shard_state state;
    struct shard_keys keys;
    char *key_text;

    int64_t tick;       /* the highest seen, in replies and events */
    int64_t cursor;     /* the last event taken from the stream */
    bool positioned;    /* cursor is set */
    int64_t window;     /* of the last reply */
    int64_t reported;   /* the window last reported in */
    int64_t contact_ms; /* store time of the last answer outside a window */

    uint64_t
        lease_sent_ms; /* boot time when the last renewal that went through was sent; 0: never */
    bool renewing;
    struct wheel_timer lease_timer;
    struct wheel_timer retry_timer; /* open again, or synchronise again */

    unsigned round;      /* of synchronising */
    int64_t sync_window; /* the window that this round reports in */
    size_t reports_open;
    bool report_failed; /* in this round */
    int64_t covered;    /* what happened up to this tick is in the answers to its reports … */
    int64_t missed;     /* … and this is the highest before which something was missed */
    bool sync_again;    /* something came up meanwhile */

    int64_t next_due_ms; /* the earliest deadline known; 0: none */
    uint64_t swept_ms;   /* boot time when last asked */
    bool sweeping;
    struct wheel_timer sweep_timer;
};

/* The event streams' side. */
struct feed {
    struct redis_link *link;
    bool reading;
    uint64_t down_since_ms; /* boot; 0 while up */
    struct wheel_timer retry_timer;
    struct str *argv; /* of XREAD; ids are written anew each time */
    char (*ids)[24];
};

struct lock_store {
    uv_loop_t *loop;
    struct wheel *wheel;
    struct config *config;
    struct lock_store_callbacks callbacks;
    char incarnation[RAND_ID_LEN + 1];

    struct redis_link *link;
    struct feed feed;
    struct shard *shards;
    unsigned shard_count;

    bool closing;
    bool up;      /* every shard was synchronised and the store has not gone away since */
    bool been_up; /* since the start */
    bool fatal;   /* on_fatal was called */
    uint64_t down_since_ms;
    char *problem;
    struct wheel_timer reopen_timer;

    int64_t clock_ms;     /* store time of the last reply … */
    uint64_t clock_at_ms; /* … and boot time when it came */

    char **peers; /* incarnations of other instances, as last read */
    size_t peer_count;

    struct decode_scratch scratch; /* of the reply being dealt with */
    struct buf packed;             /* of the call being made */
};

/* One script call under way. Completion is by `done`; the rest is for it. */
struct script_call;
typedef void (*script_done)(struct script_call *call, const struct script_head *head,
                            const struct lock_result *result);
struct script_call {
    struct shard *shard;
    script_done done;
    lock_cb cb; /* of the caller; NULL for calls of ours */
    void *arg;
    uint64_t begin_us;
    unsigned round;
};

/* ---- store.c ---- */
/* Sends; done gets a decoded result with status LOCK_OK, or LOCK_UNAVAILABLE / LOCK_UNKNOWN (head
 * is zeroed then), and the call is freed after it. What the reply says about clock, window and
 * deadlines has been noted before. */
void script_send(struct shard *s, const struct redis_script *script, struct script_args *a,
                 script_done done, lock_cb cb, void *arg);
/* The same without sending: LOCK_UNAVAILABLE, from the loop. */
void script_decline(struct shard *s, const char *why, script_done done, lock_cb cb, void *arg);
/* ARGV[1]: the store time after which the call may not run any more. */
void args_not_after(struct script_args *a, const struct lock_store *store);
void store_set_problem(struct lock_store *store, const char *problem);
/* The store answers that it cannot serve: everything is closed and opened again after a pause. */
void store_refused(struct lock_store *store, const char *error);
/* A shard came to be served. */
void store_check_recovered(struct lock_store *store);
int64_t store_longest_grace_ms(const struct lock_store *store);

/* ---- shard.c ---- */
void shard_init(struct lock_store *store, unsigned index);
void shard_fini(struct shard *s);
void shard_open(struct shard *s);
void shard_away(struct shard *s);
/* Whether requests may be sent now; begins what is needed if the lease lapsed. */
bool shard_serves(struct shard *s);
/* Events up to prev were not read. */
void shard_missed(struct shard *s, int64_t prev);
/* Everything there is to be reported (again). reason: for the log. */
void shard_resync(struct shard *s, const char *reason);
/* What a reply says of clock, window and deadlines; calls nobody back. */
void shard_note(struct shard *s, const struct script_head *head);
/* After the reply was dealt with: a window not yet reported in is a reason to resynchronise. */
void shard_check_window(struct shard *s);
void shard_report_ended(struct shard *s, unsigned round, bool ok);
/* The store refused our tick: its clock was a day further once, and what it knew then is lost. From
 * here on what it says now counts. */
void shard_forget_tick(struct shard *s, int64_t tick);
void shard_give_up_lease(struct shard *s);

/* ---- peers.c ---- */
/* Reads who else there is, for recovery windows. */
void peers_refresh(struct lock_store *store);
void peers_fini(struct lock_store *store);

/* ---- sweep.c ---- */
void sweep_schedule(struct shard *s);

/* ---- feed.c ---- */
void feed_init(struct lock_store *store, const char *name);
void feed_fini(struct lock_store *store);
/* Reads on if it can: connected, every shard positioned, not reading already. */
void feed_read(struct lock_store *store);

#endif
