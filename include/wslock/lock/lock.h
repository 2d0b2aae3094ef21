/*
 * The lock module: one typed function a script. The decision is the script's alone. Calls are
 * asynchronous; each callback runs exactly once, never from within the call itself.
 *
 * The store also renews this instance's lease, sweeps what is due, follows the shards' event
 * streams and resynchronises a shard after a lapsed lease, a missed event, a rollback or a restart
 * of the store.
 */
#ifndef WSLOCK_LOCK_LOCK_H
#define WSLOCK_LOCK_LOCK_H

#include "wslock/config/config.h"
#include "wslock/lock/types.h"

typedef struct uv_loop_s uv_loop_t;
struct lock_store;
struct wheel;

enum lock_status {
    LOCK_OK,          /* the script decided; outcome says what */
    LOCK_UNAVAILABLE, /* certainly nothing happened: BACKEND_UNAVAILABLE */
    LOCK_UNKNOWN, /* it may have happened: BACKEND_UNAVAILABLE too; the shard is resynchronised */
};

enum lock_outcome {
#define LOCK_OUTCOME(id) LOCK_OUT_##id,
#include "wslock/lock/tables.def"
#undef LOCK_OUTCOME
};

struct lock_result {
    enum lock_status status;
    enum lock_outcome outcome;
    int64_t rev;    /* the tick of the last event of this call, or the shard's last */
    int64_t now_ms; /* store time of the decision */
    bool resumed;
    struct lock_view lock;       /* after the call (status OK) */
    struct lock_ending previous; /* GRANTED: how the lock before this one ended; operate: the one
                                    that ended by it */
    struct lock_ending lost;     /* join with a wrong token; heartbeat LOST */
    int64_t limit;
    const struct str *held; /* TAB_LIMIT: the resources that the user holds in the document */
    size_t held_count;
    int64_t position, median_ms; /* QUEUED: from 1; what holders took, -1: nobody knows */
    struct str request_id;       /* REQUESTED */
    int64_t ends_ms;
    bool joined;                   /* join: the session is in the room now; operate: the user is */
    struct lock_snapshot snapshot; /* join, report */
    const struct lock_event
        *events; /* what the call changed, in order; for the audit, not for clients */
    size_t event_count;
    const char *error; /* for the log when status is not LOCK_OK */
};

typedef void (*lock_cb)(void *arg, const struct lock_result *result);

/* Who asks. Borrowed for the call. */
struct lock_caller {
    struct str resource; /* normalised, three parts */
    struct str user_id, username, client_id, session_id;
    struct str page_id; /* join: the page, empty if it has no name */
    bool client_made;   /* the server made the clientId */
    bool lives_on;      /* disconnect: this session may join again */
    const struct config_policy *policy;
};

struct lock_store_callbacks {
    /* From the streams alone: every change of a shard, once, in the order of rev. */
    void (*on_event)(void *ctx, const struct lock_event *event);
    /* To be written to the audit by this instance, for no caller is told of it: what the sweeper
     * settled (expiries), or a call changed whose caller was told LOCK_UNKNOWN. recovered: read
     * back from the shard's stream, after a call with an unknown outcome or for an instance that
     * died. */
    void (*on_unasked)(void *ctx, const struct lock_event *event, bool recovered);
    /* Changes of `instance` (an incarnation) in the shard between the ticks after and until could
     * not be read back: the store keeps only so many. */
    void (*on_audit_gap)(void *ctx, unsigned shard, const char *instance, int64_t after,
                         int64_t until);
    /* Calls done(arg, ok) once, not from within, when all that the audit was given so far is on
     * disk (ok), or cannot be put there for now. */
    void (*flush)(void *ctx, void (*done)(void *arg, bool ok), void *arg);
    /* The shard must be told everything that this instance has there: call lock_report for every
     * room of the shard with a local session, then lock_report_done. Requests of sessions to the
     * shard are answered LOCK_UNAVAILABLE until then. */
    void (*on_resync)(void *ctx, unsigned shard);
    /* The shard's ticks begin anew, more than a day below those that were told (the store's clock
     * was ahead, and what it knew then is lost): whoever was told them must begin anew too. */
    void (*on_rewound)(void *ctx, unsigned shard);
    /* The store's clock was set forward, or back (< 0), by about so much. A recovery window opens.
     */
    void (*on_clock_step)(void *ctx, int64_t step_ms);
    /* The store went away; also where it does so again before it was recovered. */
    void (*on_degraded)(void *ctx);
    void (*on_recovered)(void *ctx); /* it is back and every shard is resynchronised */
    /* Every five minutes, and after each recovery, who the store says is here is held against who
     * is. reconcile_begin; then reconcile_member for each of them, in any order, perhaps twice;
     * then reconcile_end, unless the store went away. False: nobody here knows that session in the
     * room, nor is its end being told to the store; it is taken out. Sessions that have been in a
     * room since reconcile_begin, and were not asked for, the store has forgotten:
     * lock_store_forgot. */
    void (*reconcile_begin)(void *ctx);
    bool (*reconcile_member)(void *ctx, struct str session_id, struct str resource);
    void (*reconcile_end)(void *ctx);
    /* At start only: the store cannot be used (wrong `shards`, not noeviction is a warning only).
     */
    void (*on_fatal)(void *ctx, const char *problem);
    void *ctx;
};

/* Connects (two links: commands and feed), opens every shard, then on_recovered is called for the
 * first time. config is kept. */
struct lock_store *lock_store_create(uv_loop_t *loop, struct wheel *wheel,
                                     const struct config *config,
                                     const struct lock_store_callbacks *callbacks);
/* Ends lease renewal, gives up the lease if the store is there (clean shutdown), destroys the
 * links. Outstanding calls complete LOCK_UNKNOWN first. */
void lock_store_destroy(struct lock_store **store);

/* Before a clean stop, when nothing more will be done: has the audit put on disk what it was given.
 * True when it has answered; asked again and again. */
bool lock_store_flushed(struct lock_store *store);
/* Why the store is away, or was not reached; NULL while it is up, or nothing is known. */
const char *lock_store_problem(const struct lock_store *store);
bool lock_store_window_open(const struct lock_store *store); /* any shard in a recovery window */
uint64_t lock_store_down_since_boot_ms(const struct lock_store *store); /* 0 while up */
/* A lower bound of the store's time now (last reply's TIME plus the time since, by our own clock).
 */
int64_t lock_store_now_ms(const struct lock_store *store);
unsigned lock_store_shard(const struct lock_store *store, struct str resource);
/* The highest tick known of the resource's shard, for the `rev` of what changed nothing; 0 before
 * the store has answered. */
int64_t lock_store_rev(const struct lock_store *store, struct str resource);
/* The shard's last event that the feed has told of: what is known by its events is known up to it.
 */
int64_t lock_store_fed(const struct lock_store *store, struct str resource);
/* Until when a lock with this expires_ms and policy, held through this instance, cannot have been
 * given to anyone but an administrator, an operator or the same user's other tab ("belief"). Store
 * ms. */
int64_t lock_store_confirmed_until_ms(const struct lock_store *store, int64_t expires_ms,
                                      const struct config_policy *policy);
/* Before a client is answered, who takes any answer for a sign that its locks are kept: where the
 * lease has lapsed, and nothing has told that yet (this program stood still), the store is away. */
void lock_store_check_lease(struct lock_store *store);

/* mode editor: try_lock. token: what the client believes it holds, 0 for none. A join that finds
 * another session of the same (user, clientId) takes its place: the JOIN event names the old one.
 * A lock goes on under its token only on the same page, or from grace where one of the two pages
 * has no name; else under a new one.
 */
void lock_join(struct lock_store *store, const struct lock_caller *caller, bool try_lock,
               int64_t token, lock_cb cb, void *arg);
void lock_leave(struct lock_store *store, const struct lock_caller *caller, lock_cb cb, void *arg);
enum lock_how {
    LOCK_ACQUIRE,
    LOCK_TAKE_OWN, /* from another tab of the same user */
    LOCK_CLAIM,    /* what is reserved, or whose holder has gone; never waits */
};
void lock_acquire(struct lock_store *store, const struct lock_caller *caller, enum lock_how how,
                  lock_cb cb, void *arg);
/* request_id: a new one. Asks the holder; QUEUED as a request. */
void lock_request(struct lock_store *store, const struct lock_caller *caller, struct str request_id,
                  struct str message, lock_cb cb, void *arg);
enum lock_action { LOCK_APPROVE, LOCK_DENY, LOCK_IGNORE };
/* The holder's answer to a request, or to a takeover. revision.p NULL: none given. */
void lock_reply(struct lock_store *store, const struct lock_caller *caller, bool takeover,
                struct str request_id, enum lock_action action, struct str revision, lock_cb cb,
                void *arg);
enum lock_what { LOCK_QUEUE_PLACE, LOCK_REQUEST, LOCK_TAKEOVER };
/* Gives up what the caller waits for. request_id: empty for a place in the queue. */
void lock_withdraw(struct lock_store *store, const struct lock_caller *caller, enum lock_what what,
                   struct str request_id, lock_cb cb, void *arg);
/* For who may: roles and the type's `takeover` have been looked at. wait: the holder has time to
 * save (unless it has gone, or urgent). */
void lock_takeover(struct lock_store *store, const struct lock_caller *caller,
                   struct str request_id, struct str reason, bool wait, bool urgent, lock_cb cb,
                   void *arg);
/* token 0: none named. dirty -1: not said. */
void lock_heartbeat(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                    bool active, int dirty, lock_cb cb, void *arg);
/* token: the caller's belief, so that a repeat of a release that went through answers RELEASED; 0:
 * none. revision.p NULL: none given. */
void lock_release(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                  struct str revision, lock_cb cb, void *arg);
/* The same for an owner that was told STORE_LOST: it ends under that cause. */
void lock_give_up(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                  lock_cb cb, void *arg);
/* Whether token is that of the lock as it stands (held or in grace), for whoever stores what was
 * edited: NONE: it is; LOST: it is not: lost says how its grant ended (reason NOT_HELD, or
 * STALE_TOKEN where a later one was given, if nobody remembers), and previous the latest grant that
 * ended after it; RECOVERING: nobody can say. Needs no membership. */
void lock_verify(struct lock_store *store, struct str resource, int64_t token, lock_cb cb,
                 void *arg);
/* An operator has the lock reserved for operation->user_id (takeover), or releases it: RESERVED ·
 * RELEASED · NOT_HOLDER: there was nothing to release · RECOVERING. Needs no membership; who may
 * has been looked at. */
void lock_operate(struct lock_store *store, struct str resource, const struct config_policy *policy,
                  bool takeover, const struct lock_operation *operation, lock_cb cb, void *arg);
/* Needs no membership. */
void lock_status(struct lock_store *store, struct str resource, lock_cb cb, void *arg);

enum lock_disconnect {
    LOCK_DISCONNECT_LEFT,       /* on purpose: no grace */
    LOCK_DISCONNECT_LOST,       /* the connection ended: by the type's `disconnect` */
    LOCK_DISCONNECT_SERVER,     /* an end that the server caused: plain grace */
    LOCK_DISCONNECT_TERMINATED, /* by an operator: no grace */
    LOCK_DISCONNECT_STRAY,      /* nobody here knows of it, so its lock is not valid */
};
/* Ends the membership if this session still has it: repeat it until LOCK_OK. It is let through
 * while a shard is being resynchronised. It carries a notAfter only where the session lives on.
 * ago_ms: since its connection ended, by which the grace is shorter. */
void lock_disconnect(struct lock_store *store, const struct lock_caller *caller,
                     enum lock_disconnect kind, uint64_t ago_ms, lock_cb cb, void *arg);

/* An event that was told here: how a grant ended by it is kept, for a store that loses it. */
void lock_note_ending(struct lock_store *store, const struct lock_event *event);

/* The store has not got somebody who is in this room: its shard is resynchronised. */
void lock_store_forgot(struct lock_store *store, struct str resource);

/* Resynchronising: what this instance has of one room. */
struct lock_report_member {
    bool gone; /* not in the room: it only says that its lock is in grace, until grace_until_ms */
    struct str user_id, username, client_id, page_id, session_id;
    bool client_made;
    int64_t joined_ms;
    int64_t token; /* this member's lock, 0: it has none */
    int64_t since_ms, expires_ms, grace_until_ms;
    bool dirty;
    bool prompt; /* gone: who claims the lock may have it */
};
/* What an instance knows of those who wait in a room, and of what they wait for. */
struct lock_report_waiting {
    const struct lock_waiter *waiters; /* in order, also for whom it is reserved */
    size_t waiter_count;
    struct str takeover;       /* packed, with the lock of one of the members */
    int64_t reserved_until_ms; /* 0: it is not reserved; else for this one: */
    struct str user_id, username, client_id;
};
/* Restores the members (at most 100 a call) and, by the rules of the recovery window, the lock;
 * answers with the room's snapshot. The owner of a lock, where it is here, is among the members of
 * the room's first call. seen_token: the highest that was told of here, 0: none. known: the rev up
 * to which what happened in the room is known here. */
void lock_report(struct lock_store *store, struct str resource, const struct config_policy *policy,
                 const struct lock_report_member *members, size_t count,
                 const struct lock_report_waiting *waiting, int64_t seen_token, int64_t known,
                 lock_cb cb, void *arg);
void lock_report_done(struct lock_store *store, unsigned shard);

#endif
