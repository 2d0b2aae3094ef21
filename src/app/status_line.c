/* Composes the status line for systemd. */
#include "status_line.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "systemd.h"
#include "wslock/metrics/metrics.h"
#include "wslock/session/gateway.h"

#define STARTING_INTERVAL_MS 1000
#define INTERVAL_MS 10000
#define MAX_BYTES 512

static void describe_start(const struct gateway *g, char *out, size_t size) {
    const char *problem = gateway_store_problem(g);
    (void)snprintf(out, size, "Waiting for the store%s%s", problem != NULL ? ": " : "",
                   problem != NULL ? problem : "");
}

/* While the store is away for less than readyGrace, gateway_not_ready gives no reason. */
static void describe_service(struct gateway *g, char *out, size_t size) {
    const char *reason = NULL;
    bool ready = gateway_not_ready(g, &reason, 1) == 0;
    if (ready && metrics_value(METRIC_STORE_UP, NULL, NULL) == 0) {
        ready = false;
        reason = "the store is away";
    }
    gateway_collect_metrics(g);
    (void)snprintf(out, size, "%s%s; connections: %zu, locks: %.0f",
                   ready ? "Ready" : "Not ready: ", ready ? "" : reason, gateway_session_count(g),
                   metrics_sum(METRIC_LOCKS));
}

void status_line_update(struct gateway *g, uint64_t now_ms) {
    static char last[MAX_BYTES];
    static bool was_started;
    static uint64_t next_ms;
    char text[MAX_BYTES];
    bool started = gateway_started(g);
    if (!systemd_listens() || (now_ms < next_ms && started == was_started)) {
        return;
    }
    was_started = started;
    next_ms = now_ms + (started ? INTERVAL_MS : STARTING_INTERVAL_MS);
    if (started) {
        describe_service(g, text, sizeof text);
    } else {
        describe_start(g, text, sizeof text);
    }
    if (strcmp(text, last) != 0) {
        memcpy(last, text, sizeof last);
        systemd_status(text);
    }
}
