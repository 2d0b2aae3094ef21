/*
 * Hashed timer wheel, for all timers of all connections (hundreds of thousands, O(1) to set and to
 * cancel). Resolution 10 ms. Driven by its owner calling wheel_advance; it knows no event loop.
 * Timers are embedded in their owners, who cancel them before they go.
 */
#ifndef WSLOCK_BASE_WHEEL_H
#define WSLOCK_BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/list.h"

struct wheel;
struct wheel_timer;
typedef void (*wheel_cb)(struct wheel_timer *timer);

struct wheel_timer {
    struct list node; /* private */
    uint64_t due_ms;  /* private */
    wheel_cb cb;      /* private */
};

/* Times are clock_boot_ms() values. */
struct wheel *wheel_create(uint64_t now_ms);
/* Disarms what is still armed. */
void wheel_destroy(struct wheel **w);
/* Once, before anything else is done with the timer. */
void wheel_timer_init(struct wheel_timer *t);
/* Arms the timer, or arms it anew. wheel_advance calls cb when delay_ms have passed since the
 * wheel's last advance, never earlier. It is at most one resolution step late, if wheel_advance is
 * called in time. */
void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t delay_ms, wheel_cb cb);
void wheel_cancel(struct wheel_timer *t); /* harmless when not armed */
bool wheel_armed(const struct wheel_timer *t);
/* Runs everything due up to now_ms; callbacks may set and cancel any timer, freed ones included. */
void wheel_advance(struct wheel *w, uint64_t now_ms);

#endif
