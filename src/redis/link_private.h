/*
 * The inside of a link, shared by its files, lowest first: link_state.c (is it up, wake and drop
 * it), call.c (commands, deadlines, error classes), connect.c (one attempt from resolving to PONG,
 * backoff) and link.c (create, destroy, the idle hook).
 *
 * No callback runs inside the call that it belongs to. A command that cannot be sent goes to
 * `unsent`; a connection that is lost or is to be dropped is noted. The idle hook, which runs
 * before the loop sleeps, does the rest. It also frees the context, which must not happen inside
 * one of the context's own callbacks.
 */
#ifndef WSLOCK_SRC_REDIS_LINK_PRIVATE_H
#define WSLOCK_SRC_REDIS_LINK_PRIVATE_H

#include "adapter.h"
#include "lookup.h"
#include "sentinel.h"
#include "tls/tls.h"

#include "wslock/base/list.h"

#define LINK_MAX_IN_FLIGHT 256
#define LINK_MAX_WAITING 65536
#define LINK_REASON_LEN 640 /* an ACL error may name every forbidden command */
/* A recovery window that does not know this instance ends after 3 s at the earliest. A hanging
 * attempt and the pause after it must end well before that. */
#define LINK_BACKOFF_MIN_MS 100
#define LINK_BACKOFF_MAX_MS 1000
#define LINK_ATTEMPT_MAX_MS 1000

enum link_state {
    LINK_PAUSED,     /* until the next attempt */
    LINK_FINDING,    /* the Sentinels are asked for the master */
    LINK_RESOLVING,  /* uv_getaddrinfo */
    LINK_CONNECTING, /* the socket */
    LINK_GREETING,   /* AUTH, SELECT, CLIENT SETNAME, INFO, PING */
    LINK_UP,
    LINK_CLOSED, /* being destroyed */
};

struct redis_link {
    uv_loop_t *loop;
    const struct config *config;
    char *name;
    char *target;
    struct redis_link_callbacks callbacks;

    enum link_state state;
    redisAsyncContext *ac; /* NULL while there is none */
    struct redis_adapter *adapter;
    struct redis_tls *tls;        /* NULL without TLS */
    bool dirty;                   /* hiredis' buffer holds commands */
    bool gone;                    /* hiredis has freed the context; the idle hook handles it */
    bool drop;                    /* the idle hook must free the context */
    char reason[LINK_REASON_LEN]; /* why gone or drop is set */

    struct redis_address address; /* of a node of a Cluster; port 0: the configuration's */
    struct sentinel *sentinel;    /* NULL: no Sentinel tells the address */
    struct sentinel_user finder;
    bool switched;         /* the master is elsewhere: the next attempt needs no pause */
    uint64_t attempted_ms; /* when the last attempt began, uv_now */

    const char *host; /* of this attempt; NULL: the unix socket */
    int port;
    struct redis_lookup *lookup; /* NULL: none */
    struct redis_addresses addresses;
    size_t address_next;
    uint64_t backoff_ms;
    char greeting_error[LINK_REASON_LEN];

    uv_idle_t idle;
    uv_idle_cb on_idle;
    uv_timer_t attempt;  /* PAUSED: the next one; until UP: its deadline */
    uv_timer_t deadline; /* of the commands */
    int open_handles;

    struct list in_flight; /* given to hiredis, in order */
    struct list waiting;   /* to be sent, in order */
    struct list unsent;    /* to be completed by the idle hook */
    size_t in_flight_count, waiting_count;
    uint64_t next_deadline_ms; /* lower bound over all commands; UINT64_MAX: none */
    bool overdue; /* a deadline has passed; replies are read once more before it counts */

    const struct redis_library *loading; /* FUNCTION LOAD in flight, or NULL */
    char load_error[LINK_REASON_LEN];    /* of the last FUNCTION LOAD; empty: it went well */
};

/* link_state.c */
/* Makes the idle hook run before the loop sleeps. */
void link_wake(struct redis_link *link);
/* Frees the context, which completes the commands in flight. Never inside a callback of hiredis. */
void link_free_context(struct redis_link *link, const char *reason);

/* connect.c */
/* Prepares the search for the master. beside: a link to the same server; NULL: none. */
void link_init_finder(struct redis_link *link, const struct redis_link *beside);
void link_attempt_soon(struct redis_link *link, uint64_t delay_ms);
/* After hiredis has freed the context: calls on_down or on_fail and arranges the next attempt. */
void link_handle_gone(struct redis_link *link);

/* call.c */
void link_on_deadline(uv_timer_t *timer);
/* Sends waiting commands while fewer than LINK_MAX_IN_FLIGHT are in flight. */
void link_pump(struct redis_link *link);
void link_complete_unsent(struct redis_link *link);
/* Completes the waiting commands as unsent. */
void link_decline_waiting(struct redis_link *link);

#endif
