/* Whether the client is still there. */
#include "liveness.h"

#include "end.h"
#include "registry.h"
#include "wslock/base/clock.h"

/* A timer that is this late: the daemon did not run, and a pong may not have been read yet. */
#define STOOD_STILL_MS 1000

static void on_ping_timer(struct wheel_timer *timer);

static void wait_ping(struct session *s, uint64_t delay_ms) {
    s->ping_due_boot_ms = clock_boot_ms() + delay_ms;
    wheel_set(s->gateway->parts.wheel, &s->ping_timer, delay_ms, on_ping_timer);
}

static void on_ping_timer(struct wheel_timer *timer) {
    struct session *s = CONTAINER_OF(timer, struct session, ping_timer);
    uint64_t interval = (uint64_t)s->gateway->parts.config->limits.ping_interval_ms;
    uint64_t timeout = (uint64_t)s->gateway->parts.config->limits.pong_timeout_ms;
    uint64_t now = clock_boot_ms(), quiet = now - s->heard_boot_ms;
    if (s->ping_sent) {
        if (now > s->ping_due_boot_ms + STOOD_STILL_MS) { /* the timer may be early */
            wait_ping(s, timeout);
        } else {
            session_close(s, WIRE_CLOSE_PING_TIMEOUT);
        }
        return;
    }
    if (quiet < interval) {
        wait_ping(s, interval - quiet);
        return;
    }
    s->ping_sent = true;
    s->transport->ping(s->conn);
    wait_ping(s, timeout);
}

void session_watch_liveness(struct session *s) {
    if (s->transport->ping == NULL) {
        return;
    }
    wait_ping(s, (uint64_t)s->gateway->parts.config->limits.ping_interval_ms);
}

void session_heard(struct session *s) {
    s->heard_boot_ms = clock_boot_ms();
    if (s->ping_sent && s->state == SESSION_READY) {
        s->ping_sent = false;
        session_watch_liveness(s);
    }
}

void session_on_pong(struct session *s) {
    session_heard(s);
}
