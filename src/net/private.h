/*
 * Inside of src/net. A connection's way: listener.c accepts it and gives it to libwebsockets, which
 * does TLS and the event loop, output.c what a socket does not take at once; callbacks.c gets what
 * libwebsockets says; conn.c is the connection; http.c reads its requests, one after another;
 * routes.c has the table of who answers which; idle.c keeps the connection between two of them;
 * upgrade.c filters a handshake; websocket.c is the transport of the session.
 */
#ifndef WSLOCK_NET_PRIVATE_H
#define WSLOCK_NET_PRIVATE_H

#include <libwebsockets.h>
#include <uv.h>

#include "address.h"
#include "admit.h"
#include "frames.h"
#include "handshake.h"
#include "http_head.h"
#include "wslock/auth/auth.h"
#include "wslock/base/buf.h"
#include "wslock/base/list.h"
#include "wslock/net/net.h"
#include "wslock/session/gateway.h"
#include "wslock/session/session.h"

#define NET_HANDSHAKE_TIMEOUT_MS 10000
#define NET_IDLE_TIMEOUT_MS 15000 /* of a connection between two requests */
#define NET_CLOSE_TIMEOUT_MS 5000
/* The time that a client has to read the last response and to close. */
#define NET_DRAIN_MS 2000
/* Sockets beyond maxConnections that may be in their handshake or wait for their refusal. */
#define NET_HANDSHAKE_ROOM 256
/* Descriptors that clients may never use, besides the listeners and what operators may open: an
 * idle daemon has about 20 (event loop, Redis, audit file). */
#define NET_RESERVED_DESCRIPTORS 32
#define NET_OPS_CALLS 16 /* of a listener, that wait for an answer: room is left for /healthz */
#define NET_OPS_CONNECTIONS 24 /* a listener: TCP does not keep the unix socket busy */
/* Taken off a socket at once, into one buffer for all: a whole TLS record, as libwebsockets 4.1.6
 * does not come back by itself for what OpenSSL has left of one. */
#define NET_RX_BYTES 16384
#define NET_USER_AGENT_MAX 256
/* Frames that wait for the end of the loop's turn, a connection: how many, and as many bytes as a
 * TLS record takes. */
#define GATHERED_FRAMES 4
#define GATHERED_BYTES 16384

enum listener_kind { LISTENER_PUBLIC, LISTENER_OPS };

struct listener {
    struct net *net;
    enum listener_kind kind;
    int fd;
    char *unix_path; /* to be removed at the end; or NULL */
    bool polling;
    uv_poll_t poll;
    struct wheel_timer retry; /* after descriptors ran out */
    struct lws_vhost *vhost;  /* TLS listeners have one each */
    char vhost_name[32];
    bool tls;
    struct address_ranges trusted;
    char *address; /* for the log */
    int port;
    size_t count;      /* open sockets */
    size_t calls_open; /* requests that wait for their answer (http_call.c) */
};

/* A refused token of a cookie: the session reports it to its client. */
struct refused_token {
    enum auth_result result;
    const char *why;
};

enum conn_phase {
    CONN_HEAD,      /* the head of a request is being read */
    CONN_REQUEST,   /* its body is being read, or its response is pending (http_call.c) */
    CONN_WEBSOCKET, /* frames are exchanged */
    CONN_DRAINING,  /* the last response is sent: further input is discarded */
};

struct conn {
    struct list node; /* net.conns */
    struct list idle; /* net.idle, between two requests */
    struct net *net;
    struct listener *listener;
    struct lws *wsi;
    enum conn_phase phase;
    struct http_head_scan scan; /* of rx */
    struct http_head head;      /* of the request, while it is routed */
    struct frames_reader frames;
    struct session *session;  /* in CONN_WEBSOCKET */
    struct http_call *call;   /* a request that has a body, or waits for its answer; or NULL */
    struct wheel_timer timer; /* handshake, then close */
    struct admit_place place;
    struct auth_identity *identity; /* of a token in the handshake, until the session has it */
    struct address socket_peer;
    struct address peer; /* the same; from the request on the one behind trusted proxies */
    struct buf rx;       /* requests that are not whole; then a message that came in pieces */
    size_t rx_whole;     /* how much of it is whole characters */
    struct buf out;      /* what the socket has not taken yet … */
    size_t out_sent;     /* … but for so much of it */
    struct frame *gathered[GATHERED_FRAMES]; /* while nothing of out waits */
    struct list gathering;                   /* net.gathering, while there are some */
    uint32_t gathered_bytes;
    uint8_t gathered_count;
    uint16_t close_code; /* the daemon's */
    uint16_t peer_code;  /* the client's; 0: none */
    char close_reason[24];
    uint8_t pong[FRAMES_CONTROL_MAX]; /* to the last ping, until it can be sent */
    uint8_t pong_len;
    bool handshake_counted; /* the request is, against handshakesPerSecond */
    bool settled;           /* the request has been answered, or its failure counted */
    bool keep;              /* the connection stays open after the request */
    bool paused;            /* nothing is read from the socket */
    bool closing;           /* the end was requested: nothing more is read or sent */
    bool close_sent;        /* the close frame has been */
    bool broken;            /* the client violated RFC 6455: its close frame is not awaited */
    bool ending;            /* the client has, or the socket failed */
    bool peer_closed;       /* the client's close frame has come */
    bool ping_due, pong_due;
};

struct net {
    struct net_parts parts;
    struct gateway *gateway;
    struct lws_context *context;
    struct lws_vhost *plain_vhost;
    struct listener *listeners;
    size_t listener_count;
    struct admit *admit;
    struct admit_limits limits;
    struct list conns;
    struct list idle;      /* conn: those between two requests, the longest first */
    struct list gathering; /* conn: those with frames for the end of this turn */
    uv_prepare_t turn_end;
    size_t public_count; /* open sockets of public listeners */
    size_t public_max;
    int descriptor_max; /* the first descriptor that is too high for libwebsockets */
    int spare;          /* a descriptor to release when none is left */
    bool draining;
    char *ops_token; /* or NULL */
    /* What the callback for a new connection needs, set around its adoption. */
    struct {
        struct listener *listener; /* NULL: it has been taken */
        struct address peer;
        struct admit_place place;
        bool handshake_counted;
    } incoming;
};

/* callbacks.c */
extern const struct lws_protocols net_protocols[];

/* conn.c */
struct conn *conn_create(struct net *n, struct lws *wsi);
void conn_destroy(struct conn *c);
/* Non-zero: the callback's, to have the connection closed. */
int conn_receive(struct conn *c, char *data, size_t len);
int conn_writable(struct conn *c);
/* Gives a request the time of a handshake. */
void conn_await_request(struct conn *c);
/* Cuts the connection then, in place of what its timer was set for. */
void conn_end_after(struct conn *c, uint64_t ms);
/* Cuts the first len bytes off rx; the caller frees them. */
struct buf conn_take(struct conn *c, size_t len);
void conn_pause(struct conn *c, bool paused);

/* Nothing more is sent. The client gets time to read and to close. */
void conn_drain(struct conn *c);
/* Cuts the connection in the next turn of the loop. */
void conn_fail(struct conn *c);
/* Cuts the connection. From outside of libwebsockets' callbacks only. */
void conn_kill(struct conn *c);
void conn_closed(struct conn *c);

/* idle.c: connections kept for another request. New connections may evict them. */
bool idle_may_begin(const struct conn *c);
void idle_begin(struct conn *c);
/* Closes one where the listener's limits are half used up, so that descriptors are left. */
void idle_make_room(struct listener *l);
/* admit_enter, for which idle connections give their places. */
enum admit_result idle_admit(struct listener *l, const struct address *from,
                             struct admit_place *place) MUST_CHECK;
void idle_close_all(struct net *n);

/* output.c */
/* Sends what fits and keeps the rest, behind what was gathered; false: the socket has failed, and
 * the connection will end. */
bool conn_write(struct conn *c, const void *bytes, size_t len);
/* At the end of the loop's turn at the latest, in one write with what else the connection gets in
 * it. Not while it is busy. False: as above. */
bool conn_send_frame(struct conn *c, struct frame *frame);
bool conn_write_gathered(struct conn *c);
void conn_forget_gathered(struct conn *c);
/* Of every connection. */
void net_write_gathered(struct net *n);
/* Whether earlier output waits for the socket. */
bool conn_is_busy(const struct conn *c);
/* The socket takes more. True: nothing waits any more. */
bool conn_flush(struct conn *c);

/* websocket.c */
/* Answers a handshake that has passed, and begins a session. refused: NULL, or the cookie's. */
void websocket_open(struct conn *c, const struct session_peer *peer,
                    const struct refused_token *refused);
void websocket_receive(struct conn *c, char *data, size_t len);
void websocket_writable(struct conn *c);
/* Why an open WebSocket ended. */
enum session_end websocket_end(const struct conn *c);

/* upgrade.c */
/* Handshake rate and address behind proxies, for every request of the public listener. False:
 * answered. */
bool upgrade_admit_request(struct conn *c);
/* The connection ends with it. */
void upgrade_refuse(struct conn *c, enum handshake_verdict verdict);

/* listener.c */
/* Takes the addresses of the configuration. */
bool listeners_open(struct net *n, char **problem);
/* Whether ops.socket can be made there; what is there already is not asked. */
bool listener_check_path(const char *path, char **problem);
void listener_start(struct listener *l);
/* Closes the socket; the memory belongs to net and must outlive the loop's next turn. */
void listener_stop(struct listener *l);
void listener_log(const struct listener *l);

/* descriptors.c: raises RLIMIT_NOFILE to what the limits and the listeners need and sets
 * public_max, descriptor_max. */
void descriptors_prepare(struct net *n);

/* tls.c */
/* Reads a listener's certificate and key and checks that they belong together and that OpenSSL
 * takes them. *ends_unix_s: when the certificate expires. */
bool tls_check_pair(const struct config *config, size_t listener, int64_t *ends_unix_s,
                    char **problem);

#endif
