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
 * The store as a whole is up from when every shard is served and the events are read. It is away
 * when one of them has not been for two intervals of lease renewal, or the connection is gone:
 * watch.c decides that by what succeeds, never by how something failed.
 *
 * store.c: life, up and down. watch.c: when it goes away. shard.c: these states. calls.c: the
 * requests. sweep.c: what is due. feed.c: the streams of events. audit_recovery.c: those of the
 * audit. reconcile.c: who is here. instances.c: who else there is. endings.c: which grants have
 * ended lately.
 */
#ifndef WSLOCK_SRC_LOCK_STORE_PRIVATE_H
#define WSLOCK_SRC_LOCK_STORE_PRIVATE_H

#include <uv.h>

#include "args.h"
#include "script_reply.h"
#include "event.h"
#include "scripts.h"

#include "wslock/base/list.h"
#include "wslock/base/log.h"
#include "wslock/base/rand.h"
#include "wslock/base/wheel.h"

#define LOCK_SCHEMA 2
#define LOCK_SCHEMA_OLDEST 1 /* that can be read: locks and members without pages */
#define LOCK_INCARNATION_MAX 64
#define LOCK_RETRY_MS 500    /* after a refusal or a failed report */
#define LOCK_PROBLEM_LEN 640 /* the names of all commands that there may be no right to */
#define LOCK_WINDOW_POLL_MS                                                                        \
    500 /* lease renewals while a recovery window is open: they close it                           \
         */

enum shard_state { SHARD_AWAY, SHARD_OPENING, SHARD_SYNCING, SHARD_SERVING };

/* audit_recovery.c: what of a shard the audit may lack. */
struct audit_recovery {
    int64_t answered; /* rev of the last reply: the audit was given what this instance did until
                         then … */
    int64_t asked;   /* … had been given this much when it was last asked to put it on disk … */
    int64_t written; /* … and has this much there */
    int64_t made;    /* the last change of ours that a reply told */

    bool unknown;         /* calls behind unknown_from had no answer */
    bool unknown_again;   /* also since reading began */
    int64_t unknown_from; /* ticks up to it are in hand */
    int64_t *seen;        /* ticks of what replies told since, ascending */
    size_t seen_count, seen_cap;
    struct wheel_timer timer;

    char reading[LOCK_INCARNATION_MAX + 1]; /* whose changes are being read back; empty: nobody's */
    int64_t read_from, read_to;             /* ticks */
    size_t found;
};

struct shard {
    struct lock_store *store;
    unsigned index;
    enum shard_state state;
    struct shard_keys keys;
    char *key_text;

    int64_t tick;       /* the highest seen, in replies and events */
    int64_t cursor;     /* the last event taken, from the stream or from a reply */
    int64_t asked;      /* what cursor was when the stream was last asked for more */
    bool positioned;    /* cursor is set */
    int64_t window;     /* of the last reply */
    int64_t reported;   /* the window last reported in */
    int64_t contact_ms; /* store time of the last answer outside a window */

    uint64_t
        lease_sent_ms; /* boot time when the last renewal that went through was sent; 0: never */
    bool renewing;
    int64_t step_ms;      /* of the store's clock, that the shard is still to be told */
    int64_t step_sent_ms; /* the renewal under way tells it */
    uint64_t served_ms;   /* boot time when it was last seen to be served, its lease renewed */
    char problem[LOCK_PROBLEM_LEN]; /* the last error since then; empty: none */
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
    unsigned sweeps_failed; /* the last so many */
    struct wheel_timer sweep_timer;

    size_t calls_open;  /* scripts that may make events, without an answer */
    uint64_t opened_ms; /* boot time when it was opened on this connection */
    struct audit_recovery audit_recovery;
    struct list endings; /* endings.c, oldest first */
    size_t ending_count;
};

/* reconcile.c: who the store says is here. */
struct reconcile {
    struct wheel_timer timer; /* to the next page, or the next time */
    bool running;
    bool again; /* a recovery window was open meanwhile */
    unsigned round;
    unsigned shard;
    char cursor[24]; /* of SSCAN */
    size_t open;     /* questions without an answer */
};

/* The event streams' side. */
struct feed {
    struct redis_link *link;
    bool reading;
    bool from_reply;        /* what is being applied */
    uint64_t away_since_ms; /* boot time; 0 while it can be read */
    uint64_t read_ms;       /* boot time when that last succeeded */
    char problem[LOCK_PROBLEM_LEN];
    struct wheel_timer retry_timer;
    struct str *argv; /* of XREAD; ids are written anew each time */
    char (*ids)[24];
    char block[16]; /* how long it waits for events */
};

/* watch.c: whether the store serves. */
struct watch {
    struct wheel_timer timer;
    uint64_t ran_ms;    /* boot time of the last look */
    uint64_t from_ms;   /* nothing can have succeeded for longer than since then */
    uint64_t asked_ms;  /* boot time when the server and our rights were last asked for */
    uint64_t rights_ms; /* boot time when no right was missing */
    bool asking;        /* for our rights */
    bool server_fits;   /* the one that this connection leads to … */
    bool server_unfit;  /* … or it said that it does not */
    bool rights_fit;    /* the last answer on this connection */
    char problem[LOCK_PROBLEM_LEN]; /* why one of the two does not; empty: nothing is known */
};

/* The store's clock as a reply told it; all zero: none has. */
struct clock_reading {
    int64_t store_ms;
    uint64_t asked_ms, at_ms; /* boot times when its call was sent and it came */
};

struct lock_store {
    uv_loop_t *loop;
    struct wheel *wheel;
    const struct config *config;
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
    struct watch watch;

    struct clock_reading clock;        /* of the last reply */
    struct clock_reading clock_before; /* of one an interval of lease renewal ago at most */

    struct reconcile reconcile;

    struct list flushes;                                     /* that the audit owes an answer */
    bool flushing;                                           /* one for all shards among them */
    enum { FLUSH_NONE, FLUSH_ASKED, FLUSH_DONE } last_flush; /* before the end */

    struct map *instances; /* instances.c: by incarnation */

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
    bool changes; /* it may make events */
    lock_cb cb;   /* of the caller; NULL for calls of ours */
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
/* Argument 1: the store time after which the call may not run any more. */
void args_not_after(struct script_args *a, const struct lock_store *store);
void store_set_problem(struct lock_store *store, const char *problem);
/* Nothing can be served, for this reason. */
void store_mark_away(struct lock_store *store, const char *reason);
/* Opens the shards that are away, unless something stands in the way. */
void store_open(struct lock_store *store);
/* The server that the connection leads to is not, or no longer, the one: it is connected anew, but
 * not at once if it was only just. */
void store_leave_server(struct lock_store *store, const char *why);
/* At start the program ends; later it is a store that is away. */
void store_unusable(struct lock_store *store, const char *problem);
/* A shard came to be served, or the events are read again. */
void store_check_recovered(struct lock_store *store);
int64_t store_longest_grace_ms(const struct lock_store *store);

/* ---- shard.c ---- */
void shard_init(struct lock_store *store, unsigned index);
void shard_fini(struct shard *s);
void shard_open(struct shard *s);
void shard_away(struct shard *s);
bool shard_is_leased(const struct shard *s);
/* Whether requests may be sent now; begins what is needed if the lease lapsed. */
bool shard_serves(struct shard *s);
/* Events up to prev were not read. */
void shard_missed(struct shard *s, int64_t prev);
/* Everything there is to be reported (again). reason: for the log. */
void shard_resync(struct shard *s, const char *reason);
/* The store's clock was set, forward or back (< 0): the shard is told with the next renewal. */
void shard_note_step(struct shard *s, int64_t step_ms);
/* What a reply says of clock, window and deadlines; calls nobody back. */
void shard_note(struct shard *s, const struct script_head *head);
/* After the reply was dealt with: a window not yet reported in is a reason to resynchronise. */
void shard_check_window(struct shard *s);
void shard_report_ended(struct shard *s, unsigned round, bool ok);
/* The reply says that the store refused our tick. */
bool shard_is_refused(const struct shard *s, const struct script_head *head);
/* The store refused our tick: its clock was a day further once, and what it knew then is lost. From
 * here on what it says now counts. */
void shard_forget_tick(struct shard *s, int64_t tick);
void shard_give_up_lease(struct shard *s);

/* ---- audit_recovery.c ---- */
void audit_recovery_init(struct shard *s);
void audit_recovery_fini(struct shard *s);
/* Nobody waits for the audit any more. */
void audit_recovery_leave(struct lock_store *store);
/* A reply came, and is about to be dealt with. */
void audit_recovery_note(struct shard *s, const struct script_head *head,
                         const struct lock_result *result);
/* A call may have been carried out, and no reply says so. */
void audit_recovery_note_unknown(struct shard *s);
/* An instance that died, and the id in the stream up to which its audit is on disk. */
void audit_recovery_read_dead(struct shard *s, struct str incarnation, struct str written);
/* Has the audit put on disk what it was given, for audit_recovery_tick to say later. */
void audit_recovery_flush(struct lock_store *store);
/* The shard's ticks begin anew. */
void audit_recovery_rewind(struct shard *s, int64_t tick);
/* What this instance did up to this tick is on its disk. */
int64_t audit_recovery_tick(const struct shard *s);
/* All that this instance did is on its disk. */
bool audit_recovery_is_settled(const struct shard *s);

/* ---- reconcile.c ---- */
/* Harmless where it runs already. */
void reconcile_begin(struct lock_store *store);
void reconcile_stop(struct lock_store *store);

/* ---- instances.c ---- */
void instances_init(struct lock_store *store);
void instances_fini(struct lock_store *store);
/* Reads who else there is, for recovery windows. */
void instances_refresh(struct lock_store *store);
/* Arguments of report_done: each instance whose editors may still believe in their locks, and when
 * its last lease ends, by the store's clock. */
void instances_add(struct lock_store *store, struct script_args *a);

/* ---- endings.c ---- */
void endings_init(struct shard *s);
void endings_fini(struct shard *s);
/* An event that was told here. Keeps how a grant ended by it. */
void endings_note(struct shard *s, const struct lock_event *event);
/* Tells the store of those of the last minute, and up to where the shard's events were read; counts
 * as a report of its round. */
void endings_report(struct shard *s);
/* The shard's ticks begin anew. */
void endings_forget(struct shard *s);

/* ---- sweep.c ---- */
void sweep_schedule(struct shard *s);

/* ---- watch.c ---- */
void watch_init(struct lock_store *store);
void watch_fini(struct lock_store *store);
/* The command link came up: looks at what it leads to, then opens the shards. */
void watch_link_up(struct lock_store *store);
void watch_link_down(struct lock_store *store);
/* The server will do, and no right is missing. */
bool watch_fits(const struct lock_store *store);
/* What a script's error says, without where in the script it was. */
void watch_keep_problem(char out[LOCK_PROBLEM_LEN], const char *error);

/* ---- feed.c ---- */
void feed_init(struct lock_store *store, const char *name);
void feed_fini(struct lock_store *store);
/* Reads on if it can: connected, every shard positioned, not reading already. */
void feed_read(struct lock_store *store);
/* The events of a reply that has been dealt with: they are taken now if they go on from the last
 * one taken, else when the stream brings them. */
void feed_take_reply(struct shard *s, const struct lock_result *result);
/* Every shard's place in its stream is known, without which nothing can be read. */
bool feed_is_positioned(const struct lock_store *store);

#endif
