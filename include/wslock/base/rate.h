/* Token bucket. */
#ifndef WSLOCK_BASE_RATE_H
#define WSLOCK_BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    uint64_t last_us;
    double tokens;
};

void rate_init(struct rate *r, double burst, uint64_t now_us);
/* Takes one token if there is one. per_second and burst may change between calls (reload). */
bool rate_take(struct rate *r, double per_second, double burst, uint64_t now_us);
#define RATE_WAIT_MAX_MS 86400000
/* Milliseconds from the last rate_take until the next would succeed: 0 if at once, at most
 * RATE_WAIT_MAX_MS. */
uint64_t rate_wait_ms(const struct rate *r, double per_second);

#endif
