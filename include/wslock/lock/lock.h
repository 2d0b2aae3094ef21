/*
 * The lock module: one typed function for each script. Only scripts decide. Calls are asynchronous;
 * each callback runs exactly once, never from within the call itself.
 *
 * The store also renews this instance's lease, sweeps what is due, reads the shards' event streams
 * and resynchronises a shard after a lapsed lease, a missed event, a rollback or a restart of the
 * store.
 */
#ifndef WSLOCK_LOCK_LOCK_H
#define WSLOCK_LOCK_LOCK_H

#include "wslock/config/config.h"
#include "wslock/lock/results.h"

typedef struct uv_loop_s uv_loop_t;
struct lock_store;
struct wheel;

/* The session that makes a request. Borrowed for the call. */
struct lock_caller {
    struct str resource; /* normalised, three parts */
    struct str user_id, username, client_id, session_id;
    struct str page_id; /* join: the page, empty if it has no name */
    bool client_made;   /* the server made the clientId */
    bool lives_on;      /* disconnect: this session may join again */
    const struct config_policy *policy;
};

struct lock_store_callbacks {
    /* Every change of a shard with rooms here (lock_store_follow), once, in the order of rev; also
     * those of our own replies. */
    void (*on_event)(void *ctx, const struct lock_event *event);
    /* A change that this instance must write to the audit because no caller gets it: a sweep made
     * it (expiries), or a call whose caller got LOCK_UNKNOWN. recovered: read back from the shard's
     * stream, after a call with an unknown outcome or for an instance that died. */
    void (*on_unasked)(void *ctx, const struct lock_event *event, bool recovered);
    /* Changes by `instance` (an incarnation) in the shard, between the ticks after and until, could
     * not be read back: the store keeps a limited number. */
    void (*on_audit_gap)(void *ctx, unsigned shard, const char *instance, int64_t after,
                         int64_t until);
    /* Calls done(arg, ok) once, not from within, when everything given to the audit so far is on
     * disk (ok), or cannot be written for now. */
    void (*flush)(void *ctx, void (*done)(void *arg, bool ok), void *arg);
    /* Everything that this instance has in the shard must be reported: call lock_report for every
     * room of the shard with a local session, then lock_report_done. Requests of sessions to the
     * shard end with LOCK_UNAVAILABLE until then. */
    void (*on_resync)(void *ctx, unsigned shard);
    /* The shard's ticks start again, more than a day below those seen so far (the store's clock was
     * ahead, and its data from then is lost). Clients that got such ticks must start again too. */
    void (*on_rewound)(void *ctx, unsigned shard);
    /* The store's clock was set forward, or back (< 0), by about step_ms. A recovery window opens.
     */
    void (*on_clock_step)(void *ctx, int64_t step_ms);
    /* The store went away; also if it does so again before it recovered. */
    void (*on_degraded)(void *ctx);
    void (*on_recovered)(void *ctx); /* it is back and every shard is resynchronised */
    /* Every five minutes, and after each recovery, the store's members of this instance are
     * compared with its sessions: reconcile_begin; then reconcile_member for each member, in any
     * order, perhaps twice; then reconcile_end, unless the store went away. reconcile_member
     * returns false if this instance has no such session in the room and no disconnect of it is
     * under way: the member is removed. If a session was in a room all the time and its member did
     * not come, call lock_store_forgot. */
    void (*reconcile_begin)(void *ctx);
    bool (*reconcile_member)(void *ctx, struct str session_id, struct str resource);
    void (*reconcile_end)(void *ctx);
    /* Only before the first on_recovered: the store cannot be used (other `shards`, other schema,
     * too old a server). */
    void (*on_fatal)(void *ctx, const char *problem);
    void *ctx;
};

/* Connects (commands, feed and, with redis.waitReplicas, a third link), opens every shard, then
 * on_recovered is called for the first time. config is kept. */
struct lock_store *lock_store_create(uv_loop_t *loop, struct wheel *wheel,
                                     const struct config *config,
                                     const struct lock_store_callbacks *callbacks);
/* Gives the leases up unless that was done, then destroys the links. Outstanding calls complete
 * with LOCK_UNKNOWN first. */
void lock_store_destroy(struct lock_store **store);

/* Before a clean stop, when no more calls are made: lets the audit write everything to disk. Poll
 * it until it returns true: the audit has answered. */
bool lock_store_flushed(struct lock_store *store);
/* The last step before lock_store_destroy: gives the leases of all shards up, so that other
 * instances do not count on this one any more. The store must be destroyed only after
 * lock_store_leases_given_up, or the server may lose what it has not read of a closed connection.
 */
void lock_store_give_up_leases(struct lock_store *store);
bool lock_store_leases_given_up(const struct lock_store *store);
/* Why the store is away or was not reached; NULL: it is up, or the reason is not known. */
const char *lock_store_problem(const struct lock_store *store);
/* Writes the calls that wait for the end of this turn of the loop. Calls back nobody. */
void lock_store_send(struct lock_store *store);
/* A call has waited for a quarter of its time to be sent. */
bool lock_store_is_busy(const struct lock_store *store);
bool lock_store_window_open(const struct lock_store *store); /* any shard in a recovery window */
uint64_t lock_store_down_since_boot_ms(const struct lock_store *store); /* 0 while up */
/* A lower bound of the store's time now: TIME of the last reply, plus the time since by our clock.
 */
int64_t lock_store_now_ms(const struct lock_store *store);
/* The same of the server that has the resource: in a Cluster each master has a clock. */
int64_t lock_store_now_at_ms(const struct lock_store *store, struct str resource);
unsigned lock_store_shard(const struct lock_store *store, struct str resource);
/* The highest tick known of the resource's shard, for the `rev` of answers without a change; 0
 * before the store has answered. */
int64_t lock_store_rev(const struct lock_store *store, struct str resource);
/* The tick of the last event of the resource's shard that was passed to on_event, or that was
 * skipped because it was before the first room. */
int64_t lock_store_fed(const struct lock_store *store, struct str resource);
/* Until this time (store ms) a lock with this expires_ms and policy, held through this instance,
 * can have been given only to an administrator, an operator or the same user's other tab. */
int64_t lock_store_confirmed_until_ms(const struct lock_store *store, struct str resource,
                                      int64_t expires_ms, const struct config_policy *policy);
/* This instance has a room of the resource: events of its shard are read, and passed to on_event.
 * Call it once for each room, before the room's first call. */
void lock_store_follow(struct lock_store *store, struct str resource);
/* It has no such room any more. */
void lock_store_unfollow(struct lock_store *store, struct str resource);
/* The resource's shard was lost, or was never there: before it is served, on_resync is called for
 * it.
 */
bool lock_store_is_away(const struct lock_store *store, struct str resource);
/* Call it before a client is answered, because the client takes any answer as a sign that it keeps
 * its locks. If the lease lapsed unnoticed (this process stood still), the store goes away. */
void lock_store_check_lease(struct lock_store *store);

/* try_lock: mode editor. token: of the lock that the client thinks it holds, 0: none. A join
 * replaces another session of the same (user, clientId); the JOIN event names the old one. A lock
 * keeps its token only on the same page, or from grace if one of the two pages has no name; else it
 * gets a new one. list: the snapshot lists members.
 */
void lock_join(struct lock_store *store, const struct lock_caller *caller, bool try_lock,
               int64_t token, bool list, lock_join_cb cb, void *arg);
void lock_leave(struct lock_store *store, const struct lock_caller *caller, lock_cb cb, void *arg);
enum lock_how {
    LOCK_ACQUIRE,
    LOCK_TAKE_OWN, /* from another tab of the same user */
    LOCK_CLAIM,    /* a reserved lock, or one whose holder is gone; never queues */
};
void lock_acquire(struct lock_store *store, const struct lock_caller *caller, enum lock_how how,
                  lock_acquire_cb cb, void *arg);
/* Asks the holder to give up the lock. request_id: a new one. */
void lock_request(struct lock_store *store, const struct lock_caller *caller, struct str request_id,
                  struct str message, lock_request_cb cb, void *arg);
enum lock_action { LOCK_APPROVE, LOCK_DENY, LOCK_IGNORE };
/* The holder's answer to a request, or to a takeover. revision.p NULL: none given. */
void lock_reply(struct lock_store *store, const struct lock_caller *caller, bool takeover,
                struct str request_id, enum lock_action action, struct str revision,
                lock_reply_cb cb, void *arg);
enum lock_what { LOCK_QUEUE_PLACE, LOCK_REQUEST, LOCK_TAKEOVER };
/* Withdraws what the caller waits for. request_id: empty for a place in the queue. */
void lock_withdraw(struct lock_store *store, const struct lock_caller *caller, enum lock_what what,
                   struct str request_id, lock_cb cb, void *arg);
/* The caller has checked roles and the type's `takeover`. origin: is kept with the takeover, for
 * the audit. wait: the holder gets time to save, unless it is gone, or urgent. */
void lock_takeover(struct lock_store *store, const struct lock_caller *caller,
                   struct str request_id, struct str reason, struct str origin, bool wait,
                   bool urgent, lock_takeover_cb cb, void *arg);
/* token 0: none given. dirty -1: unknown. */
void lock_heartbeat(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                    bool active, int dirty, lock_heartbeat_cb cb, void *arg);
/* token: of the lock to be released, so that a repeated release answers RELEASED; 0: none given.
 * revision.p NULL: none given. */
void lock_release(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                  struct str revision, lock_cb cb, void *arg);
/* The same for an owner that got STORE_LOST: the cause is STORE_LOST. */
void lock_give_up(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                  lock_cb cb, void *arg);
/* Checks the token of a lock (held or in grace) before an application saves. NONE: it is valid.
 * LOST: it is not. RECOVERING: unknown. Needs no membership. */
void lock_verify(struct lock_store *store, struct str resource, int64_t token, lock_verify_cb cb,
                 void *arg);
/* An operator reserves the lock for operation->user_id (takeover), or releases it: RESERVED ·
 * RELEASED · NOT_HOLDER: there was nothing to release · RECOVERING. Needs no membership; the caller
 * has checked the rights. */
void lock_operate(struct lock_store *store, struct str resource, const struct config_policy *policy,
                  bool takeover, const struct lock_operation *operation, lock_operate_cb cb,
                  void *arg);
/* Needs no membership. */
void lock_status(struct lock_store *store, struct str resource, lock_cb cb, void *arg);
/* Everything about a lock, with at most `listed` members. user_id: whose acquire from a new tab
 * under this policy is judged as well, or empty. Nothing changes but what is due. */
void lock_inspect(struct lock_store *store, struct str resource, const struct config_policy *policy,
                  struct str user_id, int64_t listed, lock_inspect_cb cb, void *arg);

/* Which locks are listed. Borrowed for the call. */
struct lock_filter {
    struct str type;    /* or empty; only characters of a resource type */
    struct str user_id; /* who has the lock, or for whom it is reserved; or empty */
    struct str search;  /* in the resource, the id or the name of that user; ASCII letters in either
                           case; or empty */
    struct str after;   /* only resources behind this one; or empty */
    size_t limit;       /* at least 1 */
};
#define LOCK_LISTINGS_MAX 16 /* at once; they are made one after another */
#define LOCK_LISTING_MS 20000
/* Lists locks of all shards that are held, in grace or reserved, as they are stored: what is due
 * may not be settled yet. Reads the shards in many small calls, one at a time, so that requests of
 * sessions go on. LOCK_UNAVAILABLE also after LOCK_LISTING_MS. False: LOCK_LISTINGS_MAX are under
 * way, and cb is not called. */
bool lock_list(struct lock_store *store, const struct lock_filter *filter, lock_list_cb cb,
               void *arg) MUST_CHECK;

enum lock_disconnect {
    LOCK_DISCONNECT_LEFT,       /* on purpose: no grace */
    LOCK_DISCONNECT_LOST,       /* the connection ended: as the type's `disconnect` says */
    LOCK_DISCONNECT_SERVER,     /* the server ended it: plain grace */
    LOCK_DISCONNECT_TERMINATED, /* by an operator: no grace */
    LOCK_DISCONNECT_STRAY,      /* this instance has no such session: its lock is not valid */
};
/* Ends the membership if it still belongs to this session. Repeat it until LOCK_OK. It is also sent
 * while the shard is resynchronised, but inside a recovery window only when this instance has
 * reported. It has a notAfter only if the session continues. ago_ms: the time since its connection
 * ended, by which the grace period becomes shorter. */
void lock_disconnect(struct lock_store *store, const struct lock_caller *caller,
                     enum lock_disconnect kind, uint64_t ago_ms, lock_cb cb, void *arg);

/* Keeps the ending of a grant in this event, to be reported to a store that lost it. Call it from
 * on_event. */
void lock_note_ending(struct lock_store *store, const struct lock_event *event);

/* The store lacks a member of this room: its shard is resynchronised. */
void lock_store_forgot(struct lock_store *store, struct str resource);

/* Resynchronising: a member of a room, as this instance has it. */
struct lock_report_member {
    bool gone; /* no longer in the room: its lock is in grace until grace_until_ms */
    struct str user_id, username, client_id, page_id, session_id;
    bool client_made;
    int64_t joined_ms;
    int64_t token; /* of this member's lock; 0: none */
    int64_t since_ms, expires_ms, grace_until_ms;
    bool dirty;
    bool prompt; /* gone: the lock may be claimed */
};
/* The waiters of a room and the lock that they wait for, as this instance has them. */
struct lock_report_waiting {
    const struct lock_waiter *waiters; /* in order, with the one that it is reserved for */
    size_t waiter_count;
    struct str takeover;       /* packed, with the lock of one of the members */
    int64_t reserved_until_ms; /* 0: not reserved; else for this user: */
    struct str user_id, username, client_id;
};
/* Restores the members (at most 100 in a call) and, by the rules of the recovery window, the lock;
 * the result has the room's snapshot. If the owner of the lock is here, the room's first call
 * includes it. seen_token: the highest token seen here, 0: none. known: the rev up to which this
 * instance knows the changes of the room. */
void lock_report(struct lock_store *store, struct str resource, const struct config_policy *policy,
                 const struct lock_report_member *members, size_t count,
                 const struct lock_report_waiting *waiting, int64_t seen_token, int64_t known,
                 lock_report_cb cb, void *arg);
/* All rooms of the shard were reported. */
void lock_report_done(struct lock_store *store, unsigned shard);

#endif
