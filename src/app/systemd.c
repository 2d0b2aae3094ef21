/* Notifies systemd. */
#include "systemd.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "wslock/base/mem.h"

struct net_socket *systemd_take_sockets(size_t *count) {
    char **names = NULL;
    int found = sd_listen_fds_with_names(1, &names);
    struct net_socket *sockets = NULL;
    *count = found > 0 ? (size_t)found : 0;
    if (*count > 0) {
        sockets = mem_calloc(*count, sizeof *sockets);
    }
    for (size_t i = 0; i < *count; i++) {
        sockets[i] = (struct net_socket){mem_strdup(names[i]), SD_LISTEN_FDS_START + (int)i};
        free(names[i]);
    }
    free((void *)names);
    return sockets;
}

void systemd_free_sockets(struct net_socket **sockets, size_t count) {
    for (size_t i = 0; i < count; i++) {
        mem_free((*sockets)[i].name);
    }
    mem_free(*sockets);
    *sockets = NULL;
}

bool systemd_listens(void) {
    return getenv("NOTIFY_SOCKET") != NULL;
}

/* The timeouts of the unit need not follow those of the configuration. */
void systemd_starting(uint64_t max_ms) {
    sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)max_ms * 1000);
}

void systemd_ready(void) {
    sd_notify(0, "READY=1");
}

void systemd_reloading(void) {
    struct timespec now; /* sd_notify(3) asks for CLOCK_MONOTONIC */
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
               (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void systemd_stopping(uint64_t max_ms) {
    sd_notifyf(0, "STOPPING=1\nSTATUS=Draining\nEXTEND_TIMEOUT_USEC=%llu",
               (unsigned long long)max_ms * 1000);
}

void systemd_status(const char *text) {
    sd_notifyf(0, "STATUS=%.*s", (int)strcspn(text, "\n"), text);
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
