/* Composes the status line for systemd. */
#include "status_line.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "systemd.h"
#include "wslock/metrics/metrics.h"
#include "wslock/session/gateway.h"

#define LOOK_MS 1000
#define INTERVAL_MS 10000
#define MAX_BYTES 512

/* Why no locks can be granted, or NULL. While the store is away for less than readyGrace,
 * gateway_not_ready gives no reason. */
static const char *find_reason(const struct gateway *g) {
    const char *reason = NULL;
    if (gateway_not_ready(g, &reason, 1) == 0 && metrics_value(METRIC_STORE_UP, NULL, NULL) == 0) {
        reason = "the store is away";
    }
    return reason;
}

static void describe(struct gateway *g, const char *reason, char *out, size_t size) {
    if (!gateway_started(g)) {
        const char *problem = gateway_store_problem(g);
        (void)snprintf(out, size, "Waiting for the store%s%s", problem != NULL ? ": " : "",
                       problem != NULL ? problem : "");
        return;
    }
    gateway_collect_metrics(g);
    (void)snprintf(out, size, "%s%s; connections: %zu, locks: %.0f",
                   reason == NULL ? "Ready" : "Not ready: ", reason == NULL ? "" : reason,
                   gateway_session_count(g), metrics_sum(METRIC_LOCKS));
}

void status_line_update(struct gateway *g, uint64_t now_ms) {
    static char last[MAX_BYTES];
    static bool was_ready;
    static uint64_t look_ms, tell_ms;
    if (!systemd_listens() || now_ms < look_ms) {
        return;
    }
    look_ms = now_ms + LOOK_MS;
    const char *reason = find_reason(g);
    bool ready = reason == NULL;
    if (ready == was_ready && gateway_started(g) && now_ms < tell_ms) {
        return;
    }
    char text[MAX_BYTES] = "";
    was_ready = ready;
    tell_ms = now_ms + INTERVAL_MS;
    describe(g, reason, text, sizeof text);
    if (strcmp(text, last) != 0) {
        memcpy(last, text, sizeof last);
        systemd_status(text);
    }
}
