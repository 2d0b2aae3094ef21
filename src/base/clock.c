/* Reads the clocks, or the source that a test has set. */
#include "wslock/base/clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t system_boot_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int64_t system_wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct clock_source system_source = {system_boot_us, system_wall_us};
static const struct clock_source *current = &system_source;

uint64_t clock_boot_us(void) {
    return current->boot_us();
}

uint64_t clock_boot_ms(void) {
    return current->boot_us() / 1000;
}

int64_t clock_wall_us(void) {
    return current->wall_us();
}

int64_t clock_wall_ms(void) {
    return current->wall_us() / 1000;
}

void clock_set_source(const struct clock_source *source) {
    current = source != NULL ? source : &system_source;
}
