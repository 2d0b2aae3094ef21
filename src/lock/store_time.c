/* The clocks of the store's servers, known from replies, and their steps. */
#include "store_time.h"

#include "wslock/base/clock.h"

#define STEP_MIN_MS 2000 /* lock-states.md: what counts as a step of the store's clock */

/* The server read its clock at some time between call and reply: only a difference outside of both
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
int64_t node_time_note(struct lock_node *node, uint64_t asked_ms, int64_t now_ms) {
    const struct clock_reading now = {now_ms, asked_ms, clock_boot_ms()};
    int64_t step = step_since(&node->clock, &now);

    if (step == 0) {
        step = step_since(&node->clock_before, &now);
    }
    node->clock = now;
    if (step != 0 || now.at_ms - node->clock_before.at_ms >= store_renewal_ms(node->store)) {
        node->clock_before = now;
    }
    return step;
}

bool node_time_known(const struct lock_node *node) {
    return node->clock.at_ms != 0;
}

int64_t node_now_ms(const struct lock_node *node) {
    if (!node_time_known(node)) {
        return clock_wall_ms(); /* before the first answer there is nothing better */
    }
    return node->clock.store_ms + (int64_t)(clock_boot_ms() - node->clock.at_ms);
}

int64_t lock_store_now_ms(const struct lock_store *store) {
    int64_t least = INT64_MAX;

    LIST_FOREACH_ENTRY(const struct lock_node, node, of_store, &store->nodes) {
        int64_t now_ms = node_time_known(node) ? node_now_ms(node) : INT64_MAX;

        least = now_ms < least ? now_ms : least;
    }
    return least < INT64_MAX ? least : clock_wall_ms();
}

int64_t lock_store_now_at_ms(const struct lock_store *store, struct str resource) {
    return node_now_ms(store_shard(store, resource)->node);
}

void args_not_after(struct script_args *a, const struct lock_node *node) {
    int64_t timeout_ms = node->store->config->redis.command_timeout_ms;

    args_int(a, node_time_known(node) ? node_now_ms(node) + timeout_ms : 0);
}
