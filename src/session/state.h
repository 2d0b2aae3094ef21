/*
 * One connection: its fields, and its state. Asynchronous results find a session by its id, never
 * by pointer: it may be gone when they come.
 */
#ifndef WSLOCK_SESSION_STATE_H
#define WSLOCK_SESSION_STATE_H

#include "wslock/base/list.h"
#include "wslock/base/rand.h"
#include "wslock/base/rate.h"
#include "wslock/base/wheel.h"
#include "wslock/session/session.h"

#define SESSION_PING_BURST 10.0 /* session:ping messages at once */

enum session_state {
    SESSION_AUTH,    /* open, no token accepted yet */
    SESSION_READY,   /* welcome has been sent */
    SESSION_CLOSING, /* the end is known; nothing more is read or sent */
    SESSION_GONE,    /* the transport has closed */
};

struct session {
    struct gateway *gateway;
    char id[RAND_ID_LEN + 1];
    enum session_state state;
    const struct session_transport *transport;
    void *conn;
    enum wire_framing framing;
    char *address, *user_agent;
    int64_t opened_unix_ms;

    struct auth_identity *identity; /* from READY on */
    struct key_wait *key_wait;      /* a token that is checked again; NULL: none */
    /* AUTH, in a framing that connects: from the handshake, until CONNECT comes. */
    struct auth_identity *offered_identity; /* of its token; NULL: none */
    char *offered_token;                    /* a cookie that was not accepted; NULL: none */
    struct list of_user;                    /* registry.c: the sessions of its user */
    char client_id[65];                     /* empty: not known yet */
    bool client_made;                       /* client_id was made by the daemon */
    char page_id[65];                       /* empty: none */
    bool names_settled;                     /* client_id and page_id do not change any more */

    struct list memberships; /* membership.h */
    bool told_until;         /* the last system:degraded had a time */
    size_t membership_count, leaving_count;

    struct list queue; /* queue.c */
    size_t queue_bytes;

    struct wheel_timer life_timer; /* AUTH: deadline; READY: token; CLOSING: flush deadline */
    struct wheel_timer ping_timer;
    struct wheel_timer rooms_timer; /* CLOSING: leaves the rooms */
    uint64_t heard_boot_ms;         /* last sign of life */
    uint64_t ping_due_boot_ms;      /* when ping_timer should run */
    bool ping_sent;
    int64_t expiring_unix_ms; /* when auth:expiring is due for this token */
    bool expiring_sent;

    struct rate rate, ping_rate;
    uint64_t refused_window_ms;
    unsigned refused_count;

    unsigned calls_open; /* requests to the store without an answer */
    bool join_abandoned; /* READY: a join had no answer; its disconnect may be under way */
    /* Called for each room when the store has first answered its disconnect; NULL: nobody waits. */
    void (*on_room_ended)(struct gateway *g, const char *session_id, bool ok);
    bool close_set;        /* closed by the daemon: `close` is the reason, else `end` */
    enum wire_close close; /* from CLOSING on */
    enum session_end end;  /* from CLOSING on */
};

/* The only place where the state changes. */
void session_enter(struct session *s, enum session_state next);
static inline bool session_is_open(const struct session *s) {
    return s->state == SESSION_AUTH || s->state == SESSION_READY;
}
/* Whether the client takes events: not before CONNECT was answered, where the framing has one. */
static inline bool session_takes_events(const struct session *s) {
    return s->state == SESSION_READY || !wire_framing_connects(s->framing);
}
/* How a message is framed and addressed. ref: of the request that it answers, or NULL. policy: of
 * the resource that it is about, or NULL. */
struct wire_to session_to(const struct wire_ref *ref, const struct config_policy *policy);
/* Forgets the tokens of the handshake. */
void session_drop_offer(struct session *s);
/* Sets clientId or pageId; an empty one changes nothing. */
void session_set_name(char slot[65], struct str given);

#endif
