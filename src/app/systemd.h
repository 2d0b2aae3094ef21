/* What systemd is told (sd_notify(3)); all of it does nothing without systemd. */
#ifndef WSLOCK_APP_SYSTEMD_H
#define WSLOCK_APP_SYSTEMD_H

#include <stdint.h>

void systemd_ready(void);
void systemd_stopping(void);
/* To be called often: says that the loop turns whenever half of WATCHDOG_USEC is over. */
void systemd_watchdog(uint64_t now_ms);

#endif
