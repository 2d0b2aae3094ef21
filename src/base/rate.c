/* The token bucket. */
#include "wslock/base/rate.h"

#include <math.h>

void rate_init(struct rate *r, double burst, uint64_t now_us) {
    r->last_us = now_us;
    r->tokens = burst;
}

bool rate_take(struct rate *r, double per_second, double burst, uint64_t now_us) {
    if (now_us > r->last_us) {
        r->tokens += (double)(now_us - r->last_us) / 1e6 * per_second;
        r->last_us = now_us;
    }
    if (r->tokens > burst) {
        r->tokens = burst;
    }
    if (r->tokens < 1) {
        return false;
    }
    r->tokens -= 1;
    return true;
}

uint64_t rate_wait_ms(const struct rate *r, double per_second) {
    if (r->tokens >= 1) {
        return 0;
    }
    double wait_ms = ceil((1 - r->tokens) / per_second * 1000);
    /* Also when per_second is 0; the bound keeps the conversion defined. */
    return wait_ms < RATE_WAIT_MAX_MS ? (uint64_t)wait_ms : RATE_WAIT_MAX_MS;
}
