/*
 * The state of the network side, shared by the parts of this folder. Each part has a header with
 * the functions that the other parts may call. Calls go one way, from callbacks.c down to conn.c:
 *
 * listener.c accepts a connection and gives it to libwebsockets, which does TLS and the event loop.
 * callbacks.c gets what libwebsockets reports and calls what the phase of the connection needs:
 * requests.c (reads the head of a request), http_call.c (a body, or a response that is pending) or
 * websocket.c (frames of native.c or engineio.c, which are the transports of sessions), or
 * polling.c (a request that waits for packets). requests.c calls routes.c, whose table has the
 * handler: page.c, ops*.c, native.c or engineio.c. http.c sends the response. All output
 * passes output.c.
 */
#ifndef WSLOCK_NET_STATE_H
#define WSLOCK_NET_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "address.h"
#include "admit.h"
#include "frames.h"
#include "http_head.h"
#include "wslock/base/buf.h"
#include "wslock/base/list.h"
#include "wslock/base/wheel.h"
#include "wslock/net/net.h"

#define NET_HANDSHAKE_TIMEOUT_MS 10000
#define NET_OPS_CONNECTIONS 24 /* per listener: the TCP one cannot block the unix socket */
#define GATHERED_FRAMES 4      /* per connection, until the end of the loop's turn */

struct auth_identity;
struct engineio;
struct frame;
struct http_call;
struct lws;
struct lws_context;
struct lws_vhost;
struct session;
struct ssl_ctx_st;
struct tls_pair;
struct websocket_user;

enum listener_kind { LISTENER_PUBLIC, LISTENER_OPS };

struct listener {
    struct net *net;
    enum listener_kind kind;
    int fd;
    char *unix_path; /* removed at the end; NULL: TCP */
    bool polling;
    uv_poll_t poll;
    uint64_t accepted_ms;     /* boot time when connections were last accepted */
    struct wheel_timer retry; /* after descriptors ran out */
    struct lws_vhost *vhost;  /* each TLS listener has its own */
    char vhost_name[32];
    bool tls;
    struct tls_pair *pair;          /* of new handshakes */
    struct ssl_ctx_st *tls_context; /* the vhost's */
    struct address_ranges trusted;  /* proxies */
    char *address;                  /* for the log */
    int port;
    size_t count;      /* open sockets */
    size_t calls_open; /* requests whose answer is pending (http_call.c) */
};

enum conn_phase {
    CONN_HEAD,      /* the head of a request is being read */
    CONN_REQUEST,   /* its body is being read, or its response is pending (http_call.c) */
    CONN_POLL,      /* a request of Engine.IO waits for packets (polling.c) */
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
    const struct websocket_user *user; /* in CONN_WEBSOCKET; NULL: it has ended */
    struct session *session;           /* native.c */
    struct engineio *engine;           /* in CONN_POLL, CONN_WEBSOCKET */
    char *cors;               /* headers of the next response, for another origin; or NULL */
    struct http_call *call;   /* a request that has a body; or NULL */
    struct wheel_timer timer; /* cuts the connection at the deadline of what it does now */
    struct admit_place place;
    struct auth_identity *identity; /* from a token in the handshake, until the session takes it */
    struct address socket_peer;
    struct address peer; /* the client: socket_peer, or the address behind trusted proxies */
    struct buf rx;       /* requests that are not complete; later the fragments of a message */
    size_t rx_whole;     /* bytes of rx that are complete characters */
    struct buf out;      /* output that the socket has not taken at once */
    size_t out_sent;     /* bytes of out that the socket has taken since */
    struct frame *gathered[GATHERED_FRAMES]; /* only while out is empty */
    struct list gathering;                   /* net.gathering, while there are gathered frames */
    uint32_t gathered_bytes;
    uint8_t gathered_count;
    uint16_t close_code; /* the daemon's */
    uint16_t peer_code;  /* the client's; 0: none */
    char close_reason[24];
    uint8_t pong[FRAMES_CONTROL_MAX]; /* payload of the answer to the last ping */
    uint8_t pong_len;
    bool handshake_counted; /* the request counts against handshakesPerSecond */
    bool settled;           /* the request was answered, or its failure was counted */
    bool keep;              /* the connection stays open after the request */
    bool bodiless;          /* the request is HEAD: its response has no body */
    bool paused;            /* the socket is not read */
    bool closing;           /* a close was requested: messages are neither read nor sent */
    bool close_sent;        /* the close frame was written */
    bool broken;            /* the client violated RFC 6455: its close frame is not awaited */
    bool ending;            /* the client has closed, or the socket has failed */
    bool peer_closed;       /* the client's close frame was received */
    bool ping_due, pong_due;
};

struct net {
    struct net_parts parts;
    struct gateway *gateway;
    struct net_commands commands;
    struct lws_context *context;
    struct lws_vhost *plain_vhost;
    struct listener *listeners;
    size_t listener_count;
    struct admit *admit;
    struct admit_limits limits;
    struct list conns;
    struct list idle;        /* conns between two requests, the longest idle first */
    struct list gathering;   /* conns with gathered frames */
    struct map *engines;     /* engineio.c: its session id → struct engineio */
    struct list engine_list; /* the same */
    size_t polling_count;    /* of them without a WebSocket */
    uv_prepare_t turn_end;
    uint64_t written_us; /* boot time: what the turn has queued was last written */
    size_t public_count; /* open sockets of public listeners */
    size_t public_max;
    int descriptor_max;   /* the lowest descriptor that libwebsockets cannot use */
    int spare;            /* a descriptor that is closed when no other is left */
    bool draining;        /* HTTP connections end after their request */
    bool refusing;        /* handshakes are refused */
    size_t audit_streams; /* ops_audit.c */
    char *ops_token;      /* or NULL */
    /* For conn_create: set while a new connection is handed to libwebsockets. */
    struct {
        struct listener *listener; /* NULL: conn_create has taken the connection */
        struct address peer;
        struct admit_place place;
        bool handshake_counted;
    } incoming;
};

#endif
