/*
 * The inside of a link, shared by its three files: link.c (create, destroy, the idle hook),
 * connect.c (one attempt from resolving to PONG, backoff) and call.c (commands, deadlines, error
 * classes).
 *
 * Nobody is called back from within his own call: what cannot be sent goes to `unsent`, a
 * connection that died or is to be dropped is noted, and the idle hook (which runs before the loop
 * sleeps) does the rest. Freeing a context inside one of its callbacks is avoided in the same way.
 */
#ifndef WSLOCK_SRC_REDIS_LINK_PRIVATE_H
#define WSLOCK_SRC_REDIS_LINK_PRIVATE_H

#include "adapter.h"
#include "tls/tls.h"

#include "wslock/base/list.h"

#define LINK_MAX_IN_FLIGHT 256
#define LINK_MAX_WAITING 65536
#define LINK_MAX_ADDRESSES 8
#define LINK_MAX_LOADING 32
#define LINK_ADDRESS_LEN 64
#define LINK_REASON_LEN 640 /* an error may name every command that there is no right to */
/* A recovery window that does not know of us closes after 3 s at the earliest: an attempt that
 * hangs and the pause after it must be over well before that. */
#define LINK_BACKOFF_MIN_MS 100
#define LINK_BACKOFF_MAX_MS 1000
#define LINK_ATTEMPT_MAX_MS 1000

enum link_state {
    LINK_PAUSED,     /* until the next attempt */
    LINK_RESOLVING,  /* uv_getaddrinfo */
    LINK_CONNECTING, /* the socket */
    LINK_GREETING,   /* AUTH, SELECT, CLIENT SETNAME, PING */
    LINK_UP,
    LINK_CLOSED, /* being destroyed */
};

/* A resolver request outlives a destroyed link. */
struct link_lookup {
    uv_getaddrinfo_t req;
    struct redis_link *link; /* NULL: nobody waits any more */
};

struct redis_link {
    uv_loop_t *loop;
    struct config *config;
    char *name;
    char *target;
    struct redis_link_callbacks callbacks;

    enum link_state state;
    redisAsyncContext *ac; /* NULL while there is none */
    struct redis_adapter *adapter;
    struct redis_tls *tls; /* NULL without TLS */
    bool dirty;            /* commands wait in hiredis' buffer */
    bool gone;             /* hiredis let the context go; the idle hook draws the consequences */
    bool drop;             /* the idle hook shall free the context */
    char reason[LINK_REASON_LEN]; /* of gone or drop */

    struct link_lookup *lookup;
    char addresses[LINK_MAX_ADDRESSES][LINK_ADDRESS_LEN];
    size_t address_count, address_next;
    uint64_t backoff_ms;
    char greeting_error[LINK_REASON_LEN];

    uv_idle_t idle;
    uv_timer_t attempt;  /* PAUSED: the next one; until UP: its deadline */
    uv_timer_t deadline; /* of the commands */
    int open_handles;

    struct list in_flight; /* given to hiredis, in order */
    struct list waiting;   /* for room in flight, in order */
    struct list unsent;    /* to be completed by the idle hook */
    size_t in_flight_count, waiting_count;
    uint64_t next_deadline_ms; /* lower bound over all commands; UINT64_MAX: none */
    bool overdue;              /* a deadline passed, replies are read once more before it counts */

    const struct redis_script *loading[LINK_MAX_LOADING]; /* SCRIPT LOAD in flight */
    size_t loading_count;
    char load_error[LINK_REASON_LEN]; /* of the last SCRIPT LOAD; empty: it went well */
};

/* Has the idle hook run before the loop sleeps. */
void link_wake(struct redis_link *link);
/* Frees the context (which completes what is in flight); not inside a callback of hiredis. */
void link_free_context(struct redis_link *link, const char *reason);

/* connect.c */
void link_attempt_soon(struct redis_link *link, uint64_t delay_ms);
/* After the context went: calls on_down or on_fail, arranges the next attempt. */
void link_handle_gone(struct redis_link *link);
void link_forget_lookup(struct redis_link *link);

/* call.c */
void link_on_deadline(uv_timer_t *timer);
/* Moves commands that wait into flight as far as there is room. */
void link_pump(struct redis_link *link);
void link_complete_unsent(struct redis_link *link);
/* What waits was never sent. */
void link_decline_waiting(struct redis_link *link);

#endif
