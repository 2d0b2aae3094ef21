/* Notifies systemd. */
#include "systemd.h"

#include <stdbool.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void systemd_ready(void) {
    sd_notify(0, "READY=1");
}

void systemd_reloading(void) {
    struct timespec now; /* sd_notify(3) asks for CLOCK_MONOTONIC */
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
               (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void systemd_stopping(void) {
    sd_notify(0, "STOPPING=1");
}

void systemd_watchdog(uint64_t now_ms) {
    static bool asked, enabled;
    static uint64_t interval_us, last_ms;
    if (!asked) {
        asked = true;
        enabled = sd_watchdog_enabled(0, &interval_us) > 0;
    }
    if (!enabled || (now_ms - last_ms) * 1000 < interval_us / 2) {
        return;
    }
    last_ms = now_ms;
    sd_notify(0, "WATCHDOG=1");
}
