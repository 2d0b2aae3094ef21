/*
 * Sessions of Engine.IO 4: the transport of a session of Socket.IO. It is a WebSocket, or polling:
 * GET requests that wait for packets, and POST requests that bring some. A client that polls may
 * open a WebSocket beside it, the probe, and change to it.
 */
#ifndef WSLOCK_NET_ENGINE_H
#define WSLOCK_NET_ENGINE_H

#include "state.h"
#include "upgrade.h"
#include "wslock/base/rand.h"
#include "wslock/base/rate.h"

#define ENGINE_SEPARATOR '\x1e' /* between the packets of a payload */

struct engineio {
    struct list node; /* net.engine_list */
    struct net *net;
    struct session *session; /* NULL: it has ended */
    char sid[RAND_ID_LEN + 1];
    struct conn *socket; /* the WebSocket; NULL: the client polls */
    struct conn *probe;  /* a WebSocket that may become the transport */
    struct conn *poll;   /* the request that waits for packets */
    struct buf payload;  /* packets for poll */
    struct wheel_timer
        timer;            /* the next ping, or until when it must be answered; closing: the end */
    uint64_t due_boot_ms; /* when the timer should run */
    struct rate rate;     /* of requests */
    /* As the client was told: a reload changes them for later sessions. */
    uint64_t ping_interval_ms, pong_timeout_ms;
    size_t body_max;
    struct admit_place place; /* while it polls: a connection for the limits */
    bool ping_sent;           /* and not answered yet */
    bool ping_queued;         /* the next poll gets it */
    bool probed;              /* the client is changing to the WebSocket */
    bool closing;             /* nothing more is read, and only the last packet sent */
};

/* Opens it and its session. Takes c->identity. socket: NULL: the client polls, and place counts for
 * it. */
struct engineio *engine_open(struct conn *c, struct conn *socket, struct admit_place place,
                             const struct upgrade_client *client);
/* Whether the path is that of sessions without Socket.IO. */
bool engine_is_plain(const struct net *n, struct str path);
/* The packet that tells the client of it. */
void engine_put_handshake(const struct engineio *e, struct buf *out);
/* NULL: there is none, or it has closed. */
struct engineio *engine_find(const struct net *n, const char *sid);
/* A packet of the client, which may close the session. False: it breaks the framing. */
bool engine_packet(struct engineio *e, const char *text, size_t len);
/* A binary message of the client. */
void engine_binary(struct engineio *e, const void *bytes, size_t len);
/* Adds a packet for poll, and has it answered. */
void engine_add_packet(struct engineio *e, struct str packet);
/* Ends a closing session without further waiting: the client knows, or has gone. */
void engine_finish(struct engineio *e);
/* Closes the session if the client has not answered a ping in time. */
void engine_check_pong(struct engineio *e);
/* The WebSocket that it has probed becomes the transport. */
void engine_use_probe(struct engineio *e);
/* The transport is gone: ends the session. */
void engine_end(struct engineio *e, enum session_end end, uint16_t close_code);
/* Frees it if it has ended and no connection needs it. */
void engine_release(struct engineio *e);

#endif
