/* Notifications to systemd (sd_notify(3)); no-ops without systemd. */
#ifndef WSLOCK_APP_SYSTEMD_H
#define WSLOCK_APP_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/net/net.h"

/* Whether anybody reads the notifications. */
bool systemd_listens(void);
/* The sockets that systemd has passed (sd_listen_fds(3)), and how many: heap, to be given back with
 * systemd_free_sockets. To be called once. */
struct net_socket *systemd_take_sockets(size_t *count);
/* Closes no descriptor. */
void systemd_free_sockets(struct net_socket **sockets, size_t count);
/* The start takes at most this long. */
void systemd_starting(uint64_t max_ms);
void systemd_ready(void);
/* A reload has begun; systemd_ready tells that it is over. */
void systemd_reloading(void);
/* The stop takes at most this long. */
void systemd_stopping(uint64_t max_ms);
/* One line for `systemctl status`. */
void systemd_status(const char *text);
/* Sends a watchdog ping when half of WATCHDOG_USEC has passed. To be called often. */
void systemd_watchdog(uint64_t now_ms);

#endif
