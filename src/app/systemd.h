/* Notifications to systemd (sd_notify(3)); no-ops without systemd. */
#ifndef WSLOCK_APP_SYSTEMD_H
#define WSLOCK_APP_SYSTEMD_H

#include <stdint.h>

void systemd_ready(void);
/* A reload has begun; systemd_ready tells that it is over. */
void systemd_reloading(void);
void systemd_stopping(void);
/* Sends a watchdog ping when half of WATCHDOG_USEC has passed. To be called often. */
void systemd_watchdog(uint64_t now_ms);

#endif
