/*
 * The state of the store, its nodes and its shards, shared by the parts of this folder. Each part
 * has a header with the functions that other parts may call; tests/parts.sh has their order.
 *
 * A shard is served after it was opened on this connection, its lease was renewed and everything
 * that this instance has there was reported. It is no longer served when the connection or the
 * lease is lost, or when events may have been missed:
 *
 *     AWAY ── link up ──> OPENING ── open, lease ──> SYNCING ── reports, report_done ──> SERVING
 *       ^                    ^                          ^   │                              │ │
 *       │                    └──── the lease lapsed ────┼───┼──────────────────────────────┘ │
 *       │                                               └───┴── gap, window, unknown outcome ┘
 *       └── the store went away (from any state)
 *
 * A node is up when each of its shards is served and the events are read, the store when every node
 * is up (availability.h).
 */
#ifndef WSLOCK_SRC_LOCK_STATE_H
#define WSLOCK_SRC_LOCK_STATE_H

#include "args.h"
#include "script_reply.h"

#include "wslock/base/list.h"
#include "wslock/base/rand.h"
#include "wslock/base/wheel.h"
#include "wslock/redis/link.h"

#define LOCK_INCARNATION_MAX 64
#define LOCK_RETRY_MS 500       /* after a refusal or a failed report */
#define LOCK_PROBLEM_LEN 640    /* may name every command that the Redis user has no right to */
#define SHARD_EMPTIED_MS 2000   /* for how long emptied_ms counts: less than a recovery window */
#define LOCK_WINDOW_POLL_MS 500 /* between lease renewals in a recovery window, which close it */

enum shard_state { SHARD_AWAY, SHARD_OPENING, SHARD_SYNCING, SHARD_SERVING };

struct shard {
    struct lock_store *store;
    struct lock_node *node;
    struct feed *feed; /* reads its events */
    unsigned index;
    enum shard_state state; /* set by shard.c only */
    struct shard_keys keys;
    char *key_text;

    int64_t tick;   /* the highest seen, in replies and events */
    int64_t cursor; /* the last event taken, from the stream or from a reply; or skipped up to it */
    int64_t asked;  /* cursor when the stream was last read */
    unsigned room_count;
    bool in_read;       /* the feed's last read includes it, or the next one will */
    bool skipped;       /* events before the cursor were skipped, and none was taken since */
    bool positioned;    /* cursor is set */
    bool from_reply;    /* the event that is being passed on comes from a reply */
    int64_t window;     /* of the last reply */
    int64_t reported;   /* the window of the last complete report */
    int64_t contact_ms; /* store time of the last answer outside a window */

    int64_t replicated;  /* enough replicas have everything up to this tick */
    int64_t replicating; /* the same, if the round under way succeeds */
    struct list held;    /* script.c: replies that wait for the replicas, and those behind them */
    size_t held_count;

    uint64_t emptied_ms;    /* boot time when its slot's node was last known to have no key left
                               and to answer ASK; 0: no such */
    uint64_t lease_sent_ms; /* boot time when the last successful renewal was sent; 0: none */
    bool renewing;
    int64_t step_ms;                /* of the store's clock, to be sent with the next renewal */
    int64_t step_sent_ms;           /* sent with the renewal under way */
    uint64_t served_ms;             /* boot time of the last renewal while it was served */
    char problem[LOCK_PROBLEM_LEN]; /* the last error since then; empty: none */
    struct wheel_timer lease_timer;
    struct wheel_timer retry_timer; /* opens or resynchronises again */

    unsigned round;      /* counts rounds: in one, everything in the shard is reported */
    int64_t sync_window; /* the window of this round */
    size_t reports_open; /* without an answer */
    bool report_failed;  /* in this round */
    int64_t covered;     /* the answers of this round include all events up to this tick */
    int64_t missed;      /* events up to this tick may have been missed during this round */
    bool sync_again;     /* a reason for another round came during this one */

    size_t calls_open;  /* script calls without an answer that may make events */
    uint64_t opened_ms; /* boot time when `open` was last sent */
    struct sweep *sweep;
    struct audit_recovery *audit_recovery;
    struct list endings;    /* endings.c, oldest first */
    unsigned endings_round; /* the last one in which they were reported */
    size_t ending_count;
};

/* A reading of a server's clock; all zero: none. */
struct clock_reading {
    int64_t store_ms;
    uint64_t asked_ms, at_ms; /* boot times when the call was sent and the reply came */
};

/* See replicas.h. */
struct replicas_wait {
    struct list node;
    /* Once, not from within replicas_await. False: not within half of the command timeout. */
    void (*done)(struct replicas_wait *wait, bool ok);
};

/* Reads the event streams of some shards of a node, on a connection of its own (feed.c). */
struct feed {
    struct lock_node *node;
    struct shard **shards;
    unsigned shard_count;
    uint64_t away_ms;               /* boot time since when events cannot be read; 0: they can */
    uint64_t read_ms;               /* boot time of the last successful read */
    char problem[LOCK_PROBLEM_LEN]; /* the last error since then; empty: none */

    struct redis_link *link;
    bool reading;
    bool blocking; /* the read under way waits for events */
    bool lacked;   /* this read ended at an event that the replicas may lack */
    struct replicas_wait wait;
    struct wheel_timer retry_timer;
    struct str *argv; /* of XREAD; the ids change each time */
    char (*ids)[24];
    char block[16]; /* how long a read waits for events, ms */
};

/* A server, with the shards that it has and the connections to it. */
struct lock_node {
    struct list of_store;
    struct lock_store *store;
    struct redis_address
        address; /* in a Cluster; port 0: that of the configuration, if it has one */
    bool up;     /* see availability.h */
    struct shard **shards;
    unsigned shard_count;

    struct redis_link *link;           /* for commands */
    struct clock_reading clock;        /* of the last reply */
    struct clock_reading clock_before; /* of a reply up to one interval of lease renewal earlier */
    uint64_t counted_from_ms; /* boot time before which no success is expected: the link came up,
                                 or this process continued after a standstill */
    bool fits;                /* the server is usable and no right is missing */
    uint64_t opened_ms;       /* boot time when shards were last opened after they were away */
    struct watch *watch;

    struct replicas *replicas; /* NULL: redis.waitReplicas is 0 */
};

struct lock_store {
    uv_loop_t *loop;
    struct wheel *wheel;
    const struct config *config;
    struct lock_store_callbacks callbacks;
    const struct script_hooks *script_hooks;
    const struct shard_hooks *shard_hooks;
    char incarnation[RAND_ID_LEN + 1];
    bool closing;       /* the leases are given up, nothing is begun any more */
    size_t leases_open; /* given up, without an answer */

    struct shard *shards;
    unsigned shard_count;

    struct list nodes;           /* struct lock_node, each with a shard at least */
    struct placement *placement; /* NULL: no Cluster */

    bool up;      /* see availability.h */
    bool been_up; /* since the start */
    bool fatal;   /* on_fatal was called */
    uint64_t down_since_ms;
    char *problem;
    int64_t longest_grace_ms; /* so far, see store_longest_grace_ms */

    struct reconcile *reconcile;
    struct flushes *flushes;
    struct map *instances; /* instances.c, by incarnation */
    struct list listings;  /* list.c */

    struct decode_scratch scratch; /* of the reply being handled */
    struct buf packed;             /* of the call being made */
};

struct shard *store_shard(const struct lock_store *store, struct str resource);
/* The first shard that is served, or else the first: for what any of them can answer. */
struct shard *store_any_shard(const struct lock_store *store);
/* The position in the stream of each of its shards is known; without it events cannot be read. */
bool feed_is_positioned(const struct feed *feed);
/* For CLIENT SETNAME: heap. */
char *node_link_name(const struct lock_node *node, const char *tail) MUST_CHECK;
/* Between two lease renewals. */
uint64_t store_renewal_ms(const struct lock_store *store);
/* For one command. */
uint64_t store_timeout_ms(const struct lock_store *store);
/* Of any type, since the start: a lock keeps the grace that it was granted with, whatever a reload
 * changes. */
int64_t store_longest_grace_ms(struct lock_store *store);
/* A plain command, with the command timeout. */
void node_command(struct lock_node *node, int argc, const struct str *argv, redis_cb cb, void *arg);
/* Passes the events of a reply to on_unasked: no caller sees them. */
void store_tell_unasked(const struct lock_store *store, const struct lock_result *result);

#endif
