/* The store's clock, known from its replies, and its steps. */
#include "store_time.h"

#include "wslock/base/clock.h"

#define STEP_MIN_MS 2000 /* lock-states.md: what counts as a step of the store's clock */

/* The store read its clock at some time between call and reply: only a difference outside of both
 * bounds is a step. */
static int64_t step_since(const struct clock_reading *then, const struct clock_reading *now) {
    int64_t passed = now->store_ms - then->store_ms;
    int64_t least = (int64_t)now->asked_ms - (int64_t)then->at_ms;
    int64_t most = (int64_t)now->at_ms - (int64_t)then->asked_ms;

    if (then->at_ms == 0) {
        return 0;
    }
    return passed > most + STEP_MIN_MS    ? passed - most
           : passed < least - STEP_MIN_MS ? passed - least
                                          : 0;
}

/* Compares with the reply before and, so that small steps add up, with one about an interval of
 * lease renewal ago. */
int64_t store_time_note(struct lock_store *store, uint64_t asked_ms, int64_t now_ms) {
    const struct clock_reading now = {now_ms, asked_ms, clock_boot_ms()};
    int64_t step = step_since(&store->clock, &now);

    if (step == 0) {
        step = step_since(&store->clock_before, &now);
    }
    store->clock = now;
    if (step != 0 || now.at_ms - store->clock_before.at_ms >= store_renewal_ms(store)) {
        store->clock_before = now;
    }
    return step;
}

int64_t lock_store_now_ms(const struct lock_store *store) {
    if (store->clock.at_ms == 0) {
        return clock_wall_ms(); /* before the first answer there is nothing better */
    }
    return store->clock.store_ms + (int64_t)(clock_boot_ms() - store->clock.at_ms);
}

void args_not_after(struct script_args *a, const struct lock_store *store) {
    bool known = store->clock.at_ms != 0;

    args_int(a, known ? lock_store_now_ms(store) + store->config->redis.command_timeout_ms : 0);
}
