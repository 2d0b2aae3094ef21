/*
 * The network side: public listeners (WebSocket) and the operations endpoint. Only this folder uses
 * libwebsockets. It checks handshakes and opens a session for each one that it admits.
 *
 * Life: net_create → net_serve_ops → net_open → net_stop_accepting → net_shutdown → (loop runs) →
 * net_destroy → (loop runs).
 */
#ifndef WSLOCK_NET_NET_H
#define WSLOCK_NET_NET_H

#include "wslock/base/macros.h"
#include "wslock/base/wheel.h"
#include "wslock/config/config.h"

typedef struct uv_loop_s uv_loop_t;
struct gateway;
struct lock_operation;
struct net;
struct net_next; /* what a reload takes from files */

/* A listening socket that systemd has passed. */
struct net_socket {
    char *name; /* its FileDescriptorName= */
    int fd;     /* net_create takes it and sets -1 */
};

struct net_parts { /* borrowed until net_destroy */
    uv_loop_t *loop;
    struct wheel *wheel;
    const struct config *config;
    struct net_socket *sockets;
    size_t socket_count;
    /* A path of Engine.IO whose sessions have the native framing; NULL: none. For a test server. */
    const char *plain_engine_path;
};

enum net_reload_result {
    NET_RELOAD_DONE,
    NET_RELOAD_REFUSED,  /* nothing has changed */
    NET_RELOAD_STOPPING, /* the daemon is stopping */
};

/* What operators ask of the daemon. */
struct net_commands {
    /* Sends all clients to other instances and takes no new ones, or (on false) ends that. time_ms:
     * after which connections that are left are closed at once. False: the daemon is stopping. */
    bool (*drain)(void *ctx, bool on, int64_t time_ms, const struct lock_operation *by);
    /* Reloads the configuration. on_finding gets each problem and each warning during the call. */
    enum net_reload_result (*reload)(void *ctx, const struct lock_operation *by,
                                     config_problem_cb on_finding, void *finding_ctx);
    void *ctx;
};

/* Reports every problem that net_create would have with the configured files; false if there is
 * any. Binds no address. */
bool net_check(const struct config *config, config_finding_cb on_problem, void *ctx) MUST_CHECK;
/* Checks the certificates, binds all configured addresses and takes the sockets that the
 * configuration names; the others are closed. Accepts no connection yet. NULL with *problem (heap,
 * the caller frees it). */
struct net *net_create(const struct net_parts *parts, char **problem) MUST_CHECK;
/* Opens the operations endpoint. gateway is borrowed until net_shutdown. */
void net_serve_ops(struct net *n, struct gateway *gateway, const struct net_commands *commands);
/* The port of the first public listener; if the configuration says 0, the one that was chosen. */
int net_port(const struct net *n);
/* Opens the public listeners. */
void net_open(struct net *n);
/* Reads the certificates that next names. Reports each problem, and each warning as config_warn
 * does. NULL if there is a problem. */
struct net_next *net_prepare(const struct net *n, const struct config *next,
                             config_finding_cb on_finding, void *ctx) MUST_CHECK;
void net_next_destroy(struct net_next **next);
/* After config_exchange: takes the limits on connections and each listener's trusted proxies,
 * certificate and minimum version. Connections stay. Takes over *next. */
void net_reload(struct net *n, struct net_next **next);
/* Whether handshakes are refused with 503. */
void net_refuse_clients(struct net *n, bool refuse);
/* Closes the public listeners; started handshakes get 503. The operations endpoint stays open. */
void net_stop_accepting(struct net *n);
/* Closes everything at once. session_on_closed is called for every session before this returns. */
void net_shutdown(struct net *n);
/* Run the loop until it has nothing left to do before this, and once more after it. */
void net_destroy(struct net **n);

#endif
