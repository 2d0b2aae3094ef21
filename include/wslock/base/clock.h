/*
 * The clocks. boot: CLOCK_BOOTTIME, never steps and goes on while the machine sleeps; for every
 * interval and deadline of ours. wall: CLOCK_REALTIME, for what is shown and for token times.
 * Store time (Redis TIME) is the lock module's. Tests inject a source.
 */
#ifndef WSLOCK_BASE_CLOCK_H
#define WSLOCK_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_boot_us(void);
uint64_t clock_boot_ms(void);
int64_t clock_wall_us(void);
int64_t clock_wall_ms(void);

struct clock_source {
    uint64_t (*boot_us)(void);
    int64_t (*wall_us)(void);
};
/* NULL restores the system's clocks. The struct is borrowed until replaced. */
void clock_set_source(const struct clock_source *source);

#endif
