/*
 * Inside of src/session. A request walks: session_on_message → dispatch (decode, rate, state) →
 * handler (handle_*.c) → lock call → on_…_result → reply. An event walks: lock feed → gateway →
 * room → deliver.
 *
 * Results find their session by id, never by pointer: the session may be gone when they come.
 */
#ifndef WSLOCK_SESSION_PRIVATE_H
#define WSLOCK_SESSION_PRIVATE_H

#include "wslock/base/buf.h"
#include "wslock/base/map.h"
#include "wslock/base/rand.h"
#include "wslock/base/rate.h"
#include "wslock/lock/lock.h"
#include "wslock/room/room.h"
#include "wslock/session/gateway.h"
#include "wslock/session/session.h"
#include "wslock/wire/request.h"

#define SESSION_PING_BURST 10.0 /* session:ping, at once */

enum session_state {
    SESSION_AUTH,    /* open, no token accepted yet */
    SESSION_READY,   /* welcome has been sent */
    SESSION_CLOSING, /* the end is known; nothing more is read or told */
    SESSION_GONE,    /* the transport has let go */
};

struct gateway {
    struct gateway_parts parts;
    struct lock_store *store;
    struct rooms *rooms;
    struct map *sessions;     /* session id → struct session */
    struct map *user_count;   /* user id → struct user_count */
    struct list farewells;    /* disconnects that have not gone through */
    struct list owed;         /* answers to takeovers that wait for the audit */
    struct list terminations; /* answers to operators that wait for the store */
    void (*on_fatal)(void *ctx, const char *problem);
    void *on_fatal_ctx;
    bool started, degraded, draining;
    unsigned comparison; /* of the members with those that the store has */
    uint64_t ref_counter;
    char ref_prefix[7]; /* of this process, for `ref` */
};

struct queued_frame {
    struct list node;
    struct frame *frame;
};

struct session {
    struct gateway *gateway;
    char id[RAND_ID_LEN + 1];
    enum session_state state;
    const struct session_transport *transport;
    void *conn;
    enum wire_framing framing;
    char *address, *user_agent;

    struct auth_identity *identity; /* from READY on */
    char client_id[65];             /* empty: none yet */
    bool client_made;               /* by us */
    char page_id[65];               /* empty: it has no name … */
    bool names_settled;             /* … and from the first join on gets none */

    struct list memberships;
    size_t membership_count, leaving_count;

    struct list queue; /* queued_frame */
    size_t queue_bytes;

    struct wheel_timer life_timer; /* auth deadline, then the token's end, then the close's */
    struct wheel_timer ping_timer;
    struct wheel_timer rooms_timer; /* CLOSING: they are left */
    uint64_t heard_boot_ms;         /* last sign of life */
    uint64_t ping_due_boot_ms;      /* when ping_timer should run */
    bool ping_sent;
    int64_t expiring_unix_ms; /* when auth:expiring is due for this token */
    bool expiring_told;

    struct rate rate, ping_rate;
    uint64_t refused_window_ms;
    unsigned refused_count;

    unsigned calls_open; /* requests to the store without an answer */
    bool gave_up;        /* a farewell may be under way for a room of this living session */
    bool close_set;
    enum wire_close close; /* by us, if close_set … */
    enum session_end end;  /* … else this, from CLOSING on */
};

/* One room that the session has joined, is joining or is leaving. */
struct membership {
    struct list node;
    struct session *session;
    uint64_t seq; /* tells it from a later one of the same resource */
    struct wire_resource resource;
    const struct config_policy *policy;
    enum { MEMBER_JOINING, MEMBER_IN, MEMBER_LEAVING } state;
    unsigned answers_open; /* joins and takeovers without theirs, before which no event comes */
    bool tell_again;       /* after the last of them */
    char request_id[RAND_ID_LEN + 1];  /* of the last lock:request and takeover, as answered: the */
    char takeover_id[RAND_ID_LEN + 1]; /* room may hear of it later */
    unsigned compared;                 /* the last comparison in which the store had it */
    struct room_sub sub;
    int64_t joined_ms;
    int64_t token; /* of the lock this tab holds here, as far as it was told; 0: none */
    int64_t since_ms, expires_ms;
    bool dirty;
    int64_t lost_token; /* the highest token that it was told it lost, at which rev, and why */
    int64_t lost_rev;
    enum lock_cause lost_reason;
};

/* The context of one asynchronous request. Freed by its result handler with call_end. */
struct call {
    struct gateway *gateway;
    char session_id[RAND_ID_LEN + 1];
    enum wire_request_kind kind;
    struct wire_ref ref;
    struct wire_resource resource;
    bool names_resource; /* the request did; else it is that of the room with its requestId */
    const struct config_policy *policy;
    uint64_t member_seq; /* 0: needs no membership */
    uint64_t started_us;
    int64_t token;       /* the fencing token that the request named */
    bool refused_editor; /* join: wanted to edit, but has none of the roles */
    char request_id[RAND_ID_LEN + 1];
    enum wire_action action; /* *_reply */
};

/* gateway.c */
struct session *gateway_session(struct gateway *g, const char *id);
/* False: the user has too many connections already (nothing was counted). */
bool gateway_count_user(struct gateway *g, const char *user_id) MUST_CHECK;
void gateway_uncount_user(struct gateway *g, const char *user_id);
/* A short text that stands in one error, one log line and one audit record. */
void gateway_make_ref(struct gateway *g, char out[32]);

/* end.c */
void session_close(struct session *s, enum wire_close close);
/* READY: an operator ends it, and what it has in its rooms ends at once. */
void session_terminate(struct session *s);

/* session.c */
void session_enter(struct session *s, enum session_state next);
void session_accept(struct session *s, struct auth_identity *identity, const struct wire_ref *ref);
/* Of the tab or of the page; given empty: it stays as it is. */
void session_take_name(char slot[65], struct str given);
/* READY: the newer token of the same user counts from here on. Takes over identity. */
void session_swap_identity(struct session *s, struct auth_identity *identity);
void session_free(struct session *s);
void session_tell_degraded(struct session *s);

/* queue.c. Takes over the caller's reference. */
void session_send(struct session *s, struct wire_message *message);
/* False: it is dropped, for the queue is full. */
bool session_try_send(struct session *s, struct wire_message *message) MUST_CHECK;
void session_queue_clear(struct session *s);

/* dispatch.c */
void session_dispatch(struct session *s, const char *text, size_t len);

/* reply.c */
struct wire_to session_to(const struct session *s, const struct wire_ref *ref,
                          const struct config_policy *policy);
/* A request that is answered at once: counted (metrics) and told. */
void session_refuse(struct session *s, enum wire_request_kind kind, const struct wire_ref *ref,
                    enum wire_error_code code, const char *message,
                    const struct wire_error_extra *extra);
void session_error(struct session *s, const struct wire_ref *ref, enum wire_error_code code,
                   const char *message, const struct wire_error_extra *extra);
struct wire_at session_at(const struct call *call, const struct lock_result *result);
/* The same where the daemon answers by itself. */
struct wire_at session_at_now(const struct membership *m);
/* What lock:acquire and an editor's join are told: acquired, denied or error. ref NULL: as an
 * event. */
const char *session_tell_acquire(struct session *s, struct membership *m, const struct call *call,
                                 const struct wire_ref *ref, const struct lock_result *result);
void session_tell_denied(struct session *s, struct membership *m, const struct wire_ref *ref,
                         const struct wire_at *at, const char *reason,
                         const struct lock_view *lock);
/* The lock is this tab's now; the message that says so. */
struct wire_message *session_acquired(struct session *s, struct membership *m,
                                      const struct wire_ref *ref, const struct wire_at *at,
                                      const struct lock_view *lock,
                                      const struct lock_ending *before, bool resumed);
/* An error as an answer of a script; gives its code. */
const char *session_full_queue(struct session *s, const struct wire_ref *ref,
                               const struct wire_at *at);
const char *session_answer_error(struct session *s, const struct call *call,
                                 const struct lock_result *result, enum wire_error_code code,
                                 const char *message);
void session_unavailable(struct session *s, const struct call *call);
/* "…_UNAVAILABLE" was told and the handler is done. */
bool session_failed(struct session *s, const struct call *call, const struct lock_result *result);
/* The answer to a request whose room the session has left, or never got into, meanwhile. */
const char *session_room_gone(struct session *s, const struct call *call,
                              const struct lock_result *result);

/* call.c */
struct call *call_begin(struct session *s, const struct wire_request *r, struct membership *m,
                        const struct config_policy *policy);
/* The session, or NULL if it is gone or closing: then nobody waits for the answer. */
struct session *call_session(struct call *call);
struct membership *call_membership(struct call *call, struct session *s);
/* What an error says of the resource, where the request named it. */
struct wire_error_extra call_error_extra(const struct call *call, int64_t rev);
/* What most results come to: recorded, answered if the session is in the room still, counted,
 * freed. The answer gives the outcome. */
typedef const char *(*call_answer)(struct session *s, struct membership *m, struct call *call,
                                   const struct lock_result *result);
void call_finish(struct call *call, const struct lock_result *result, call_answer answer);
/* Counts the outcome (metrics) and frees. outcome: "ok", a denial's reason or an error's code. */
void call_end(struct call *call, const char *outcome);

/* comparison.c */
void comparison_begin(void *ctx);
bool comparison_member(void *ctx, struct str session_id, struct str resource);
void comparison_end(void *ctx);

/* membership.c */
/* An answer is awaited: what the room says is held until membership_resume, which the caller calls
 * after sending it and counting it down in answers_open. rev, snapshot: of the join's reply, else 0
 * and NULL. */
void membership_hold(struct membership *m);
void membership_resume(struct membership *m, int64_t rev, const struct lock_snapshot *snapshot);
void membership_note_id(char slot[RAND_ID_LEN + 1], struct str id);
struct membership *membership_find(struct session *s, struct str resource);
struct membership *membership_by_seq(struct session *s, uint64_t seq);
struct membership *membership_create(struct session *s, const struct wire_resource *resource,
                                     const struct config_policy *policy,
                                     enum wire_presence presence);
void membership_destroy(struct membership *m);
void membership_caller(const struct membership *m, struct lock_caller *out);
/* The lock was granted or confirmed under this token. */
void membership_granted(struct membership *m, const struct lock_view *lock, int64_t rev);
/* It is told in a reply that its lock has ended: no later word of that is news. */
void membership_ended(struct membership *m, int64_t rev, enum lock_cause reason);
/* What it was just told to have is known to be gone: says lock:lost after it. */
void membership_check_lost(struct membership *m, int64_t token);
bool membership_may_edit(const struct membership *m);

/* ticket.c: the signed ticket of a lock that this user has, as lock:acquired and lock:renewed tell
 * it; empty where none are signed. now_ms: the store's. Borrowed until the next call. */
struct str session_ticket(const struct session *s, struct str resource,
                          const struct lock_view *lock, int64_t now_ms);

/* handle_*.c: r is borrowed. m: the membership, where the command's row asks for one. */
void handle_auth(struct session *s, const struct wire_request *r, struct membership *m,
                 const struct config_policy *policy);
void handle_refresh(struct session *s, const struct wire_request *r, struct membership *m,
                    const struct config_policy *policy);
void handle_ping(struct session *s, const struct wire_request *r, struct membership *m,
                 const struct config_policy *policy);
void handle_join(struct session *s, const struct wire_request *r, struct membership *m,
                 const struct config_policy *policy);
void handle_leave(struct session *s, const struct wire_request *r, struct membership *m,
                  const struct config_policy *policy);
void handle_acquire(struct session *s, const struct wire_request *r, struct membership *m,
                    const struct config_policy *policy);
void handle_heartbeat(struct session *s, const struct wire_request *r, struct membership *m,
                      const struct config_policy *policy);
void handle_release(struct session *s, const struct wire_request *r, struct membership *m,
                    const struct config_policy *policy);
/* The room of a requestId that this session may know; else refuses with UNKNOWN_REQUEST. */
struct membership *session_request_room(struct session *s, const struct wire_request *r);
/* NOT_JOINED, RECOVERING and what a script never answers to this; gives the outcome. */
const char *session_other_answer(struct session *s, const struct call *call,
                                 const struct lock_result *result);
void handle_queue_leave(struct session *s, const struct wire_request *r, struct membership *m,
                        const struct config_policy *policy);
void handle_request(struct session *s, const struct wire_request *r, struct membership *m,
                    const struct config_policy *policy);
void handle_request_reply(struct session *s, const struct wire_request *r, struct membership *m,
                          const struct config_policy *policy);
void handle_request_cancel(struct session *s, const struct wire_request *r, struct membership *m,
                           const struct config_policy *policy);
void handle_takeover(struct session *s, const struct wire_request *r, struct membership *m,
                     const struct config_policy *policy);
/* Nobody is answered any more. */
void takeover_forget_all(struct gateway *g);
void handle_takeover_reply(struct session *s, const struct wire_request *r, struct membership *m,
                           const struct config_policy *policy);
void handle_takeover_cancel(struct session *s, const struct wire_request *r, struct membership *m,
                            const struct config_policy *policy);
void handle_status(struct session *s, const struct wire_request *r, struct membership *m,
                   const struct config_policy *policy);

/* farewell.c: ends a membership in the store, repeated until it went through; outlives the session.
 */
void farewell_start(struct membership *m, enum lock_disconnect kind, bool calls_open);
/* operate.c: a room of a session that an operator has ended; ok: the store knows. */
void operate_room_ended(struct gateway *g, const char *session_id, bool ok);
/* Nobody is told any more. */
void operate_forget_all(struct gateway *g);
/* The session wants to join this room again: nothing may end the membership after that. False: what
 * was sent still can, for at most commandTimeout and a margin. */
bool farewell_cancel(struct session *s, struct str resource) MUST_CHECK;
void farewell_stop_all(struct gateway *g);
/* Every membership of a gone session has been ended once. */
bool farewells_settled(const struct gateway *g);
bool farewell_is_under_way(const struct gateway *g, struct str session_id, struct str resource);

/* trail.c: the audit. s may be NULL (nobody's doing). */
void trail_events(struct gateway *g, const struct session *s, const struct lock_result *result);
void trail_event(struct gateway *g, const struct session *s, const struct lock_event *event);
/* Read back from the store. */
void trail_recovered(struct gateway *g, const struct lock_event *event);
/* A member that a report restored: it came earlier. */
bool trail_is_restored(const struct lock_event *event);
void trail_gap(struct gateway *g, const char *detail);
void trail_session(struct session *s, enum audit_action action, const char *reason);
void trail_denied(struct membership *m, const char *reason, const char *ref,
                  const struct lock_view *lock);
void trail_refused(struct membership *m, const char *reason);
void trail_stale(struct session *s, const struct call *call, const char *reason);
/* ACCESS_DENIED of somebody whose token is good. */
void trail_refused_user(const struct session *s, const struct auth_identity *identity,
                        const char *reason);
/* SESSION_TERMINATED; its user is the session's. */
void trail_terminated(struct session *s, const struct lock_operation *by);
/* The audit cannot be written, and an administrator may do nothing without it. */
bool trail_forbids_admin(const struct gateway *g);
/* Whether nothing may begin. */
bool trail_stops_all(const struct gateway *g);
void trail_simple(struct gateway *g, enum audit_action action, bool failure, const char *reason,
                  const char *detail);

#endif
