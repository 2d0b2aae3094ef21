/*
 * The network side: public listeners (WebSocket), the operations endpoint, and libwebsockets, which
 * no other folder knows. Handshakes are filtered here; what passes becomes a session.
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
struct net;

struct net_parts { /* borrowed until net_destroy */
    uv_loop_t *loop;
    struct wheel *wheel;
    const struct config *config;
};

/* Reports every problem that net_create would have with the files that the configuration names;
 * false if there is any. Takes no address. */
bool net_check(const struct config *config, config_finding_cb on_problem, void *ctx) MUST_CHECK;
/* Checks certificates and takes every address of the configuration, so that a taken port is known
 * before anything else has started. Nobody is served yet.
 * NULL with *problem (heap, caller frees). */
struct net *net_create(const struct net_parts *parts, char **problem) MUST_CHECK;
/* The operations endpoint answers from here on. gateway is borrowed until net_shutdown. */
void net_serve_ops(struct net *n, struct gateway *gateway);
/* The port of the first public listener: the one chosen where the configuration says 0. */
int net_port(const struct net *n);
/* After config_exchange: takes the limits on connections and each listener's trusted proxies. */
void net_reload(struct net *n);
/* Public listeners accept from here on. */
void net_open(struct net *n);
/* Public listeners close; handshakes under way are refused with 503. The operations endpoint goes
 * on. */
void net_stop_accepting(struct net *n);
/* Closes everything at once; every session hears session_on_closed before this returns. */
void net_shutdown(struct net *n);
/* After the loop has run until nothing was left to do; run it once more after this. */
void net_destroy(struct net **n);

#endif
