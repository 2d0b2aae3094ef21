/*
 * Inside of src/net. A connection's way: listener.c accepts it and gives it to libwebsockets;
 * callbacks.c gets what libwebsockets says; upgrade.c filters the handshake; conn.c is the
 * transport of the session; http.c, ops.c and page.c answer what is no WebSocket.
 */
#ifndef WSLOCK_NET_PRIVATE_H
#define WSLOCK_NET_PRIVATE_H

#include <libwebsockets.h>
#include <uv.h>

#include "address.h"
#include "admit.h"
#include "handshake.h"
#include "wslock/auth/auth.h"
#include "wslock/base/buf.h"
#include "wslock/base/list.h"
#include "wslock/net/net.h"
#include "wslock/session/gateway.h"
#include "wslock/session/session.h"

#define NET_HANDSHAKE_TIMEOUT_MS 10000
#define NET_CLOSE_TIMEOUT_MS 5000
/* Sockets beyond maxConnections that may be in their handshake or being told a refusal. */
#define NET_HANDSHAKE_ROOM 256
/* Descriptors that clients may never use, besides the listeners and what operators may open: an
 * idle daemon has about 20 (event loop, Redis, audit file). */
#define NET_RESERVED_DESCRIPTORS 32
#define NET_OPS_CALLS 16 /* of a listener, that wait for an answer: room is left for /healthz */
#define NET_OPS_CONNECTIONS 24     /* a listener: TCP does not keep the unix socket busy */
#define NET_MAX_HEADER_BYTES 16384 /* a token of 8 KiB and what else browsers send */
#define NET_USER_AGENT_MAX 256

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

struct conn {
    struct list node; /* net.conns */
    struct net *net;
    struct listener *listener;
    struct lws *wsi;
    struct session *session;  /* between ESTABLISHED and CLOSED */
    struct http_call *call;   /* a request that has a body, or waits for its answer; or NULL */
    struct wheel_timer timer; /* handshake, then close */
    struct admit_place place;
    struct auth_identity *identity; /* of a token in the handshake, until the session has it */
    struct address peer; /* the socket's; after the upgrade the one behind trusted proxies */
    struct buf rx;       /* of a message that came in pieces */
    size_t rx_whole;     /* how much of it is whole characters */
    uint16_t close_code; /* ours */
    uint16_t peer_code;  /* the client's; 0: none */
    char close_reason[24];
    bool handshake_counted; /* against handshakesPerSecond */
    bool settled;           /* the handshake has been answered, or its failure counted */
    bool closing;           /* we have asked for the end: nothing more is read or sent */
    bool close_sent;        /* the close frame has been */
    bool ending;            /* the client has, or the socket failed */
    bool peer_closed;       /* the client's close frame has come */
    bool ping_due;
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
    size_t public_count; /* open sockets of public listeners */
    size_t public_max;
    int descriptor_max; /* the first descriptor that is too high for libwebsockets */
    int spare;          /* a descriptor to let go when there is no other */
    bool draining;
    char *ops_token; /* or NULL */
    /* What the callback for a new connection needs, set around its adoption. */
    struct {
        struct listener *listener; /* NULL: it has been taken */
        struct address peer;
        struct admit_place place;
        bool handshake_counted;
    } incoming;
    /* From the filter to ESTABLISHED, which follows before anything else happens. */
    char user_agent[NET_USER_AGENT_MAX + 1];
};

/* callbacks.c */
extern const struct lws_protocols net_protocols[];

/* conn.c */
extern const struct session_transport net_transport;
struct conn *conn_create(struct net *n, struct lws *wsi);
void conn_destroy(struct conn *c);
/* Cuts the connection. From outside of libwebsockets' callbacks only. */
void conn_kill(struct conn *c);
/* Begins a session; non-zero: refuse. */
int conn_open_session(struct conn *c);
void conn_receive(struct conn *c, const char *data, size_t len);
void conn_writable(struct conn *c);
/* Non-zero: it answers our close, and the connection can go. */
int conn_peer_closes(struct conn *c, const unsigned char *payload, size_t len);
void conn_closed(struct conn *c, enum session_end end);
/* Why libwebsockets closed, which says so when it ends an open WebSocket. */
enum session_end conn_end(const struct conn *c);

/* upgrade.c: non-zero when the handshake has been refused. */
int upgrade_filter(struct conn *c);
/* Handshake rate and address behind proxies, for every request of the public listener. False:
 * answered. */
bool upgrade_admit_request(struct conn *c);
int upgrade_refuse(struct conn *c, enum handshake_verdict verdict);

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

/* "text: reason", heap. */
char *net_problem(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
